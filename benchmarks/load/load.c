/* The load client of `./space bench`: many WebSockets in one thread, and how late their ticks come.

   load --port P [--port2 P2] --protocol space|plain|socket.io --sockets N --per-session K
        --seconds T [--connect-rate R] [--patience S] [--tokens FILE] [--epoch E --since R] [--stall N]

   Socket i belongs to session i / K. To Space it authenticates with line i / K of FILE. R sockets
   are opened a second, at most IN_FLIGHT at a time; 0 opens all at once. When all are in, or after
   `patience` seconds, it prints `connected {...}` and waits for a line on stdin; then it measures
   for T seconds, prints `measured`, reads GRACE_US longer what is late, and prints one JSON line.
   The first N of --stall read nothing from that line on.

   Lateness is the arrival by CLOCK_REALTIME less the instant that the tick names (`server_time`).
   A tick counts for the second that it names, so that each socket must have exactly T of them. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SPACE, PLAIN, SOCKET_IO };
enum { UNUSED, CONNECTING, UPGRADING, JOINING, IN, GONE };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

#define IN_FLIGHT 256
#define PER_ADDRESS 20000 /* sockets from one source address: there are 28,000 ports */
#define GRACE_US 1500000
#define LARGEST (1 << 20)
/* Bytes. What a client that stops reading takes in its kernel; and segments as over a real network:
   for the large ones of the loopback interface the server's kernel would keep megabytes. */
#define STALLED_BUFFER 2304
#define STALLED_SEGMENT 1460

struct client {
  int fd;
  int state;
  int stalled;
  int counted; /* it is in when the measured seconds begin, and reads */
  uint32_t ticks; /* of the window */
  size_t kept;    /* bytes of a frame that has not come whole */
  char *rest;
};

static int port, port2, protocol, sockets, per_session = 1, stall;
static double seconds = 10, rate = 2000, patience = 60;
static const char *tokens_file, *epoch;
static long since = -1;

static struct client *clients;
static char **tokens;
static int poller, opened, waiting, joined, failed, running = 1;
static int64_t began_us, *joined_us; /* how long each took from the begin of all */

static int measuring;
static int64_t from_us, until_us; /* the window, CLOCK_REALTIME */
static int64_t delivered, bytes;
static int32_t *late;
static size_t lates, late_room;
static int closed_codes[5000];

static char buffer[1 << 18];

static int64_t clock_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* -- one socket ------------------------------------------------------------------------------ */

static void gone(struct client *c, int code) {
  if (c->state == GONE) return;
  if (c->state != IN) {
    failed++;
    waiting--;
  }
  closed_codes[code < 5000 ? code : 0]++;
  c->state = GONE;
  close(c->fd);
  free(c->rest);
  c->rest = NULL;
}

static void send_all(struct client *c, const char *data, size_t length) {
  if (send(c->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) gone(c, 1006);
}

static void send_frame(struct client *c, int opcode, const char *payload, size_t length) {
  static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  char frame[8192];
  size_t head = 2;
  if (length + 14 > sizeof frame) return;
  frame[0] = (char)(0x80 | opcode);
  if (length < 126) {
    frame[1] = (char)(0x80 | length);
  } else {
    frame[1] = (char)(0x80 | 126);
    frame[2] = (char)(length >> 8);
    frame[3] = (char)length;
    head = 4;
  }
  memcpy(frame + head, mask, 4);
  head += 4;
  for (size_t i = 0; i < length; i++) frame[head + i] = (char)(payload[i] ^ mask[i & 3]);
  send_all(c, frame, head + length);
}

static void open_one(int i) {
  struct client *c = &clients[i];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  struct linger reset = {1, 0}; /* no thousands of ports in TIME_WAIT when we end */
  to.sin_port = htons((uint16_t)(port2 && i % 2 ? port2 : port));
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (i < stall) {
    int small = STALLED_BUFFER, ethernet = STALLED_SEGMENT;
    c->stalled = 1;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
  }
  if (i >= PER_ADDRESS) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i / PER_ADDRESS));
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&here, sizeof here) < 0) die("bind");
  }
  c->state = CONNECTING;
  waiting++;
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    gone(c, 1006);
    return;
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)i};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
}

static void connected(struct client *c) {
  int error = 0, i = (int)(c - clients);
  socklen_t size = sizeof error;
  char request[512], path[160];
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) {
    gone(c, 1006);
    return;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
  if (protocol == SPACE)
    snprintf(path, sizeof path, "/ws/");
  else if (protocol == PLAIN)
    snprintf(path, sizeof path, "/?session=%d", i / per_session);
  else
    snprintf(path, sizeof path, "/socket.io/?EIO=4&transport=websocket&session=%d", i / per_session);
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n",
                        path, port);
  c->state = UPGRADING;
  send_all(c, request, (size_t)length);
}

static void is_in(struct client *c) {
  c->state = IN;
  waiting--;
  joined_us[joined++] = clock_us(CLOCK_MONOTONIC) - began_us;
}

static void authenticate(struct client *c) {
  char text[6000];
  int length = snprintf(text, sizeof text, "{\"type\":\"authenticate\",\"token\":\"%s\",\"device\":\"bench\"",
                        tokens[(c - clients) / per_session]);
  if (epoch)
    length += snprintf(text + length, sizeof text - (size_t)length, ",\"epoch\":\"%s\",\"since\":%ld",
                       epoch, since);
  length += snprintf(text + length, sizeof text - (size_t)length, "}");
  send_frame(c, TEXT, text, (size_t)length);
}

static void upgraded(struct client *c) {
  c->state = JOINING;
  if (protocol == SPACE) authenticate(c);
  if (protocol == PLAIN) is_in(c);
}

/* -- what comes ------------------------------------------------------------------------------ */

/* "2026-11-22T12:00:00.123Z", with any number of digits of a second: microseconds since 1970. */
static int64_t instant_us(const char *text, const char *end) {
  static int64_t day_us;
  static char day[10];
#define DIGITS(at) ((text[at] - '0') * 10 + text[(at) + 1] - '0')
  if (end - text < 20) return 0;
  if (memcmp(day, text, 10)) {
    struct tm tm = {.tm_year = DIGITS(0) * 100 + DIGITS(2) - 1900, .tm_mon = DIGITS(5) - 1, .tm_mday = DIGITS(8)};
    day_us = (int64_t)timegm(&tm) * 1000000;
    memcpy(day, text, 10);
  }
  int64_t us = day_us + ((DIGITS(11) * 60 + DIGITS(14)) * 60LL + DIGITS(17)) * 1000000;
  const char *p = text + 19;
  if (*p == '.') {
    int unit = 100000;
    for (p++; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10) us += (*p - '0') * unit;
  }
  return us;
}

static void tick(struct client *c, const char *p, const char *end) {
  int64_t now = clock_us(CLOCK_REALTIME);
  if (now < until_us) delivered++;
  const char *at = memmem(p, (size_t)(end - p), "\"server_time\":\"", 15);
  if (!at) return;
  int64_t due = instant_us(at + 15, end);
  if (due < from_us || due >= until_us) return;
  c->ticks++;
  if (lates == late_room) {
    late_room = late_room ? late_room * 2 : 1 << 18;
    late = realloc(late, late_room * sizeof *late);
    if (!late) die("realloc");
  }
  late[lates++] = (int32_t)(now - due);
}

static void text(struct client *c, const char *p, size_t length) {
  const char *end = p + length;
  size_t head = length < 64 ? length : 64;
  if (protocol == SOCKET_IO && length) {
    if (p[0] == '0') {
      send_frame(c, TEXT, "40", 2);
    } else if (p[0] == '2') {
      send_frame(c, TEXT, "3", 1);
    } else if (length > 1 && p[0] == '4' && p[1] == '0' && c->state == JOINING) {
      is_in(c);
    }
  }
  if (c->state == JOINING && protocol == SPACE && memmem(p, head, "\"ready\"", 7)) is_in(c);
  if (measuring && memmem(p, head, "session.tick", 12)) tick(c, p, end);
}

/* All whole frames in the data; how many bytes they were. */
static size_t frames(struct client *c, char *data, size_t length) {
  size_t done = 0;
  while (c->state != GONE && length - done >= 2) {
    unsigned char *f = (unsigned char *)data + done;
    size_t head = 2, size = f[1] & 0x7f;
    if (size == 126) {
      if (length - done < 4) break;
      size = (size_t)f[2] << 8 | f[3];
      head = 4;
    } else if (size == 127) {
      if (length - done < 10) break;
      size = (size_t)f[6] << 24 | (size_t)f[7] << 16 | (size_t)f[8] << 8 | f[9];
      head = 10;
    }
    if (size > LARGEST) {
      gone(c, 1009);
      break;
    }
    if (length - done < head + size) break;
    char *payload = data + done + head;
    int opcode = f[0] & 15;
    if (opcode == TEXT) text(c, payload, size);
    if (opcode == PING) send_frame(c, PONG, payload, size);
    if (opcode == CLOSE) gone(c, size >= 2 ? (unsigned char)payload[0] << 8 | (unsigned char)payload[1] : 1005);
    done += head + size;
  }
  return done;
}

static size_t upgrade(struct client *c, char *data, size_t length) {
  char *end = memmem(data, length, "\r\n\r\n", 4);
  if (!end) return 0;
  if (length < 12 || memcmp(data + 9, "101", 3)) {
    gone(c, 1006);
    return length;
  }
  upgraded(c);
  return (size_t)(end + 4 - data);
}

static void readable(struct client *c) {
  while (c->state != GONE) {
    if (c->kept) memcpy(buffer, c->rest, c->kept);
    ssize_t got = recv(c->fd, buffer + c->kept, sizeof buffer - c->kept, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      gone(c, 1006);
      return;
    }
    bytes += got;
    size_t length = c->kept + (size_t)got, done = 0;
    if (c->state == UPGRADING) done = upgrade(c, buffer, length);
    if (c->state != UPGRADING && c->state != GONE) done += frames(c, buffer + done, length - done);
    if (c->state == GONE) return;
    int short_read = length < sizeof buffer;
    c->kept = length - done;
    if (c->kept == sizeof buffer) {
      gone(c, 1009);
      return;
    }
    if (c->kept) {
      c->rest = realloc(c->rest, c->kept);
      if (!c->rest) die("realloc");
      memmove(c->rest, buffer + done, c->kept);
    }
    if (short_read) return; /* else there may be more; epoll would say so too */
  }
}

/* -- the course of a run --------------------------------------------------------------------- */

static void poll_once(int timeout_ms) {
  struct epoll_event events[1024];
  int n = epoll_wait(poller, events, 1024, timeout_ms);
  for (int k = 0; k < n; k++) {
    if (events[k].data.u32 == UINT32_MAX) { /* stdin: the word to begin, or the end of who reads us */
      running = 0;
      continue;
    }
    struct client *c = &clients[events[k].data.u32];
    if (c->state == CONNECTING)
      connected(c);
    else if (c->state != GONE)
      readable(c);
  }
}

static int ascending(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void print_closed(void) {
  const char *comma = "";
  printf("\"closed\": {");
  for (int code = 0; code < 5000; code++)
    if (closed_codes[code]) {
      printf("%s\"%d\": %d", comma, code, closed_codes[code]);
      comma = ", ";
    }
  printf("}");
}

static void connect_all(void) {
  began_us = clock_us(CLOCK_MONOTONIC);
  while (joined + failed < sockets) {
    int64_t passed = clock_us(CLOCK_MONOTONIC) - began_us;
    if (passed > patience * 1e6) break;
    int due = rate > 0 ? (int)((double)passed / 1e6 * rate) + 1 : sockets;
    while (opened < sockets && opened < due && (rate == 0 || waiting < IN_FLIGHT)) open_one(opened++);
    poll_once(1);
  }
  int64_t took = clock_us(CLOCK_MONOTONIC) - began_us;
  for (int i = 0; i < opened; i++) /* a socket that is not in by now stays out */
    if (clients[i].state != IN) gone(&clients[i], 1006);
  printf("connected {\"seconds\": %.3f, \"errors\": %d, \"sockets\": %d, \"first_s\": %.3f, \"median_s\": %.3f, ",
         (double)took / 1e6, sockets - joined, joined, joined ? (double)joined_us[0] / 1e6 : 0,
         joined ? (double)joined_us[joined / 2] / 1e6 : 0);
  print_closed();
  puts("}");
  fflush(stdout);
}

static void wait_for_a_line(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  char line[64];
  if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) < 0) die("stdin");
  while (running) poll_once(1000);
  if (read(0, line, sizeof line) <= 0) exit(0);
  epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
}

static void measure(void) {
  for (int i = 0; i < sockets; i++) {
    clients[i].counted = clients[i].state == IN && !clients[i].stalled;
    if (clients[i].state == IN && clients[i].stalled) epoll_ctl(poller, EPOLL_CTL_DEL, clients[i].fd, NULL);
  }
  memset(closed_codes, 0, sizeof closed_codes);
  from_us = clock_us(CLOCK_REALTIME);
  until_us = from_us + (int64_t)(seconds * 1e6);
  measuring = 1;
  bytes = 0;
  while (clock_us(CLOCK_REALTIME) < until_us) {
    int64_t left_ms = (until_us - clock_us(CLOCK_REALTIME)) / 1000;
    poll_once(left_ms > 100 ? 100 : (int)left_ms);
  }
  puts("measured");
  fflush(stdout);
  while (clock_us(CLOCK_REALTIME) < until_us + GRACE_US) poll_once(50);
}

/* How many of those that stopped reading the server has cut: they find out when they read again. */
static int cut(void) {
  int count = 0;
  for (int i = 0; i < stall; i++) {
    ssize_t got;
    while ((got = recv(clients[i].fd, buffer, sizeof buffer, 0)) > 0) continue;
    count += got == 0 || errno != EAGAIN;
  }
  return count;
}

static double at_ms(double q) {
  return lates ? late[(size_t)(q * (double)(lates - 1))] / 1000.0 : -1;
}

static void report(void) {
  static const int upper_ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1000000};
  uint32_t least = UINT32_MAX, most = 0;
  int64_t count = 0, missed = 0;
  struct rusage used;
  for (int i = 0; i < sockets; i++) {
    if (!clients[i].counted) continue;
    uint32_t ticks = clients[i].ticks;
    if (ticks < least) least = ticks;
    if (ticks > most) most = ticks;
    if (ticks < (uint32_t)seconds) missed += (uint32_t)seconds - ticks;
    count++;
  }
  qsort(late, lates, sizeof *late, ascending);
  getrusage(RUSAGE_SELF, &used);
  printf("{\"delivered\": %lld, \"expected\": %lld, \"missed\": %lld, \"ticks\": %zu, ", (long long)delivered,
         (long long)(count * (int64_t)seconds), (long long)missed, lates);
  printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"min_ms\": %.3f, ", at_ms(0.5), at_ms(0.99),
         at_ms(1), at_ms(0));
  printf("\"per_socket_min\": %u, \"per_socket_max\": %u, \"bytes\": %lld, ", count ? least : 0, most,
         (long long)bytes);
  printf("\"histogram\": [");
  size_t from = 0;
  for (size_t k = 0; k < sizeof upper_ms / sizeof *upper_ms; k++) {
    size_t to = from;
    while (to < lates && late[to] < (int64_t)upper_ms[k] * 1000) to++;
    printf("%s[%d, %zu]", k ? ", " : "", upper_ms[k], to - from);
    from = to;
  }
  printf("], ");
  print_closed();
  printf(", \"cut\": %d, \"cpu_s\": %.3f}\n", cut(),
         (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
             (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  fflush(stdout);
}

static void read_tokens(void) {
  FILE *file = fopen(tokens_file, "r");
  char *line = NULL;
  size_t room = 0;
  int needed = (sockets + per_session - 1) / per_session;
  if (!file) die(tokens_file);
  tokens = calloc((size_t)needed, sizeof *tokens);
  for (int i = 0; i < needed; i++) {
    ssize_t length = getline(&line, &room, file);
    if (length <= 0) {
      fprintf(stderr, "load: %s has %d tokens, %d are needed\n", tokens_file, i, needed);
      exit(1);
    }
    line[strcspn(line, "\n")] = 0;
    tokens[i] = strdup(line);
  }
  free(line);
  fclose(file);
}

static void options(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--port2")) port2 = atoi(value);
    else if (!strcmp(name, "--protocol")) protocol = *value == 'p' ? PLAIN : value[1] == 'o' ? SOCKET_IO : SPACE;
    else if (!strcmp(name, "--sockets")) sockets = atoi(value);
    else if (!strcmp(name, "--per-session")) per_session = atoi(value);
    else if (!strcmp(name, "--seconds")) seconds = atof(value);
    else if (!strcmp(name, "--connect-rate")) rate = atof(value);
    else if (!strcmp(name, "--patience")) patience = atof(value);
    else if (!strcmp(name, "--tokens")) tokens_file = value;
    else if (!strcmp(name, "--epoch")) epoch = value;
    else if (!strcmp(name, "--since")) since = atol(value);
    else if (!strcmp(name, "--stall")) stall = atoi(value);
    else {
      fprintf(stderr, "load: unknown option %s\n", name);
      exit(2);
    }
  }
  if (argc % 2 == 0 || port <= 0 || sockets <= 0 || per_session <= 0 || seconds < 1 || stall > sockets ||
      (protocol == SPACE && !tokens_file)) {
    fprintf(stderr, "load: --port, --protocol, --sockets, --per-session and --seconds (1 or more) are needed\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  struct rlimit files;
  options(argc, argv);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (protocol == SPACE) read_tokens();
  clients = calloc((size_t)sockets, sizeof *clients);
  joined_us = calloc((size_t)sockets, sizeof *joined_us);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (!clients || !joined_us || poller < 0) die("start");
  connect_all();
  wait_for_a_line();
  measure();
  report();
  return 0;
}
