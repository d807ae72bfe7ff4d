/* raw PORT: what the kernel alone costs. One thread, epoll, one send() of a ready-made frame for
 * each socket and second; of WebSocket only what is needed for that: the handshake, and a close
 * from the client. No library would be this small, so it is a limit and not a choice.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000, LENGTH = 25 * 60 * SECOND, EVENTS = 1024, LONGEST_REQUEST = 2048 };

struct session;

struct device {
    int fd;
    struct session *session;   /* none before the handshake */
    struct device *next, **at; /* the other devices of the session */
    char *request;             /* of the handshake, as far as it has come */
    int have;
};

struct session {
    long number;
    struct device *devices;
    struct session *next; /* of the same phase */
};

static struct session *phases[SECOND]; /* the sessions that tick at this millisecond of a second */
static int epoll, listener, timer;

static void must(int good, const char *what) {
    if (good) return;
    perror(what);
    exit(1);
}

/* -- SHA-1 and base64, for Sec-WebSocket-Accept ------------------------------------------------ */

static uint32_t rolled(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const char *text, size_t length, uint8_t out[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t block[128] = {0}; /* a key and the GUID are 60 bytes: two blocks */
    memcpy(block, text, length);
    block[length] = 0x80;
    uint64_t bits = length * 8;
    for (int i = 0; i < 8; i++) block[127 - i] = bits >> (8 * i);
    for (int b = 0; b < 2; b++) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) {
            const uint8_t *p = block + b * 64 + i * 4;
            w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rolled(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], x = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20) f = (x & c) | (~x & d), k = 0x5A827999;
            else if (i < 40) f = x ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60) f = (x & c) | (x & d) | (c & d), k = 0x8F1BBCDC;
            else f = x ^ c ^ d, k = 0xCA62C1D6;
            uint32_t t = rolled(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rolled(x, 30), x = a, a = t;
        }
        h[0] += a, h[1] += x, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

static void base64(const uint8_t in[20], char out[29]) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0, o = 0; i < 20; i += 3) {
        uint32_t three = in[i] << 16 | in[i + 1] << 8 | (i + 2 < 20 ? in[i + 2] : 0);
        for (int s = 18; s >= 0; s -= 6) out[o++] = letters[three >> s & 63];
    }
    out[27] = '=';
    out[28] = 0;
}

/* -- devices come and go ----------------------------------------------------------------------- */

static struct session *session_of(long number) {
    struct session **first = &phases[number * 7919 % SECOND];
    for (struct session *s = *first; s; s = s->next)
        if (s->number == number) return s;
    struct session *s = calloc(1, sizeof *s);
    must(s != NULL, "calloc");
    s->number = number;
    s->next = *first;
    return *first = s;
}

static void leave(struct device *d) {
    if (d->session) {
        *d->at = d->next;
        if (d->next) d->next->at = d->at;
    }
    close(d->fd);
    free(d->request);
    free(d);
}

static void watch(struct device *d, long number) {
    struct session *s = session_of(number);
    d->session = s;
    d->next = s->devices;
    d->at = &s->devices;
    if (d->next) d->next->at = &d->next;
    s->devices = d;
}

static void arrive(void) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct device *d = calloc(1, sizeof *d);
        must(d != NULL && (d->request = malloc(LONGEST_REQUEST + 1)) != NULL, "malloc");
        d->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = d};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

/* The answer to the request in `d`; false: it is none of ours. */
static int shake_hands(struct device *d) {
    const char *session = strstr(d->request, "session=");
    const char *key = strcasestr(d->request, "\r\nSec-WebSocket-Key:");
    if (!session || !key) return 0;
    long number = strtol(session + strlen("session="), NULL, 10);
    char text[128];
    if (number < 0 || sscanf(key + strlen("\r\nSec-WebSocket-Key:"), " %24s", text) != 1) return 0;
    strcat(text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    uint8_t hash[20];
    char accept[29], answer[256];
    sha1(text, strlen(text), hash);
    base64(hash, accept);
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    if (send(d->fd, answer, n, MSG_NOSIGNAL) != n) return 0;
    free(d->request);
    d->request = NULL;
    watch(d, number);
    return 1;
}

/* False: the device is gone, or shall go. */
static int hear(struct device *d) {
    if (d->session) { /* of what the client sends only a close is of interest */
        uint8_t frame[4096];
        ssize_t n = recv(d->fd, frame, sizeof frame, 0);
        if (n < 0) return errno == EAGAIN;
        return n > 0 && (frame[0] & 15) != 8;
    }
    ssize_t n = recv(d->fd, d->request + d->have, LONGEST_REQUEST - d->have, 0);
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return 0;
    d->have += n;
    d->request[d->have] = 0;
    if (strstr(d->request, "\r\n\r\n")) return shake_hands(d);
    return d->have < LONGEST_REQUEST;
}

/* -- ticks ------------------------------------------------------------------------------------- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000000;
}

static int frame_of(const struct session *s, int64_t due, char *frame) {
    time_t seconds = due / SECOND;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char instant[32];
    strftime(instant, sizeof instant, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(frame + 4, 250,
                     "{\"type\":\"session.tick\",\"session\":%ld,\"version\":2,"
                     "\"remaining_ms\":%ld,\"server_time\":\"%s.%03d000Z\"}",
                     s->number, (long)(LENGTH - due / SECOND * SECOND % LENGTH), instant,
                     (int)(due % SECOND));
    if (n < 126) {
        frame[2] = (char)0x81;
        frame[3] = (char)n;
        return n + 2;
    }
    memmove(frame + 6, frame + 4, n);
    frame[2] = (char)0x81;
    frame[3] = 126;
    frame[4] = (char)(n >> 8);
    frame[5] = (char)n;
    return n + 4;
}

static void tick(struct session *s, int64_t due) {
    char frame[256];
    int n = frame_of(s, due, frame);
    for (struct device *d = s->devices, *next; d; d = next) {
        next = d->next;
        ssize_t sent = send(d->fd, frame + 2, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == n || (sent < 0 && errno == EAGAIN)) continue; /* who does not read misses it */
        shutdown(d->fd, SHUT_RDWR); /* epoll tells, and it is let go there */
    }
}

/* Wakes at the next millisecond after `ms` that has sessions, or a second later. */
static void set_timer(int64_t ms) {
    static int64_t set;
    int64_t due = ms + 1;
    while (due < ms + SECOND && !phases[due % SECOND]) due++;
    if (due == set) return;
    set = due;
    struct itimerspec at = {
        .it_value = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND * 1000000}};
    must(timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) == 0, "timerfd_settime");
}

/* Ticks all that is due since `done`; what is later than a second is left out. */
static int64_t tick_all(int64_t done) {
    int64_t now = now_ms();
    if (done < now - SECOND) done = now - SECOND;
    while (done < now) {
        done++;
        for (struct session *s = phases[done % SECOND]; s; s = s->next)
            if (s->devices) tick(s, done);
    }
    return done;
}

/* ---------------------------------------------------------------------------------------------- */

static void listen_on(int port) {
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    must(bind(listener, (struct sockaddr *)&here, sizeof here) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
}

static void take_all_files(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "raw PORT\n");
        return 2;
    }
    take_all_files();
    listen_on(atoi(argv[1]));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    puts("ready");
    fflush(stdout);

    static struct epoll_event events[EVENTS];
    int64_t done = now_ms();
    for (;;) {
        set_timer(done);
        int n = epoll_wait(epoll, events, EVENTS, -1);
        done = tick_all(done); /* before newcomers: a second that has passed is not theirs */
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            uint64_t times;
            if (who == &listener) arrive();
            else if (who == &timer)
                must(read(timer, &times, sizeof times) > 0 || errno == EAGAIN, "read");
            else if (!hear(who)) leave(who);
        }
    }
}
