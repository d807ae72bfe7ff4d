"""The settings of Django. `variables.py` declares those that come from the environment.

`SPACE_ENV=development` relaxes the settings that a laptop cannot have. Any other value is
production, where a secret has no default and a missing one stops the start.
"""

import sys
from datetime import timedelta
from importlib.metadata import version
from math import inf
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from config.variables import BASE_DIR, given
from realtime.broker.connection import hosts
from runtime.database.connections import bound_psycopg2, bounded_connection
from web.static_hash import content_hash

DEVELOPMENT = given.SPACE_ENV == "development"
DEBUG = False  # a traceback page shows settings; errors are JSON, and the log has the traceback
SECRET_KEY = given.SECRET_KEY
TOKEN_SIGNING_KEY = given.TOKEN_SIGNING_KEY  # its own, so that either can be changed alone
TOKEN_VERIFYING_KEYS = given.TOKEN_VERIFYING_KEYS

# -- addresses -----------------------------------------------------------------------------------
# Absolute URLs start with PUBLIC_URL. Empty (development): REST uses the request's host.
PUBLIC_URL = given.PUBLIC_URL.rstrip("/")
ALLOWED_HOSTS = given.ALLOWED_HOSTS
# The published web client runs on http://localhost:5173.
CORS_ALLOWED_ORIGINS = given.CORS_ALLOWED_ORIGINS
CORS_EXPOSE_HEADERS = ["Link", "ETag", "Retry-After", "X-Request-Id"]
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-match", "x-request-id")
]
# Browser origins that may open a socket, besides the page's own: exact, scheme and port included.
WEBSOCKET_ORIGINS = given.WEBSOCKET_ORIGINS
TRUSTED_PROXIES = given.TRUSTED_PROXIES
FORWARDED_ALLOW_IPS = given.FORWARDED_ALLOW_IPS

# -- apps and middlewares ------------------------------------------------------------------------
INSTALLED_APPS = [
    # First: its `runserver` replaces Django's. Twisted takes 0.3 s to import, so only for that.
    *(["daphne"] if "runserver" in sys.argv else []),
    "config.apps.SupportConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "sessions_app",
    "realtime",
    "config",
]
MIDDLEWARE = [
    "web.middleware.RequestId",
    "web.middleware.JsonErrors",
    "runtime.client_address.ClientNetworkMiddleware",
    "web.middleware.Utf8",
    "web.middleware.Cors",
    "django.middleware.security.SecurityMiddleware",
    "web.static.Static",
    "server.asgi.body_limit.BodyLimit",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # These act at /admin/ only.
    "web.admin_middleware.AdminSessions",
    "web.admin_middleware.Csrf",
    "web.admin_middleware.Authentication",
    "web.admin_middleware.Messages",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False  # a redirect would lose the body of a POST; both forms are routed or 404
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [  # for the admin; they read nothing before it does
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- PostgreSQL holds the truth ------------------------------------------------------------------
DB_DRIVER = given.DB_DRIVER
# The database gives up a statement before. If it does not, it is frozen. (0: no time-out.)
_ANSWERS_WITHIN_S = (
    given.DB_STATEMENT_TIMEOUT_MS / 1000 + 1 if given.DB_STATEMENT_TIMEOUT_MS else inf
)
if DB_DRIVER == "psycopg2":
    sys.modules["psycopg"] = None  # type: ignore[assignment]  # Django prefers psycopg 3 wherever it can be imported
    bound_psycopg2(_ANSWERS_WITHIN_S)
elif DB_DRIVER != "psycopg":
    raise ImproperlyConfigured("DB_DRIVER is psycopg or psycopg2")

DATABASES = {"default": given.DATABASE_URL}
_LIMITS = {
    "statement_timeout": given.DB_STATEMENT_TIMEOUT_MS,
    "lock_timeout": 2_000,
    # A worker that freezes inside its transaction would hold its rows for ever.
    "idle_in_transaction_session_timeout": 2_000,
}
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": 0,  # under ASGI persistent connections leak; the pool keeps them instead
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": DATABASES["default"].get("OPTIONS", {})  # such as sslmode, from the URL
    | {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "options": " ".join(f"-c {name}={value}" for name, value in _LIMITS.items()),
    },
}
if DB_DRIVER == "psycopg":
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": given.DB_POOL_SIZE,
        "timeout": 2,  # seconds that a request waits for a connection; then 503
        "reconnect_timeout": 1,  # else attempts wait ever longer (see `runtime.database.pool`)
        "connection_class": bounded_connection(_ANSWERS_WITHIN_S),  # also of a frozen server
    }
# Threads that answer REST: one more would only wait for a connection.
REST_THREADS = given.DB_POOL_SIZE

# -- Redis carries state changes -----------------------------------------------------------------
REDIS_URL = given.REDIS_URL
CHANNEL_PREFIX = given.CHANNEL_PREFIX
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"prefix": given.CHANNEL_PREFIX, "hosts": hosts(REDIS_URL)},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": given.CHANNEL_PREFIX,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# -- accounts ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.staff.StaffBackend"]  # of the admin; the API has tokens
PASSWORD_HASHERS = ["accounts.password_hashing.Argon2"]
_VALIDATORS = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATORS}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATORS}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATORS}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATORS}.NumericPasswordValidator"},
]
ACCESS_TOKEN_LIFETIME = timedelta(minutes=given.ACCESS_TOKEN_MINUTES)
REFRESH_TOKEN_LIFETIME = timedelta(days=given.REFRESH_TOKEN_DAYS)
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": TOKEN_SIGNING_KEY,
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "LEEWAY": timedelta(seconds=30),  # a machine 3 s behind must not refuse a fresh token
    "AUTH_HEADER_TYPES": ("Bearer",),
    "UPDATE_LAST_LOGIN": False,
}
LOGINS_PER_USER = max(1, given.LOGINS_PER_USER)
LIMIT_SIGNUPS_PER_MINUTE = given.LIMIT_SIGNUPS_PER_MINUTE  # per address
LIMIT_FAILED_LOGINS_PER_MINUTE = given.LIMIT_FAILED_LOGINS_PER_MINUTE  # per name
LIMIT_FAILED_LOGINS_PER_ADDRESS = given.LIMIT_FAILED_LOGINS_PER_ADDRESS  # a minute
LIMIT_REFRESHES_PER_MINUTE = given.LIMIT_REFRESHES_PER_MINUTE  # per address
LIMIT_PASSWORD_CHANGES_PER_MINUTE = given.LIMIT_PASSWORD_CHANGES_PER_MINUTE  # per user
LIMIT_WAITING_PER_ADDRESS = given.LIMIT_WAITING_PER_ADDRESS  # for a hash, in one process
LIMIT_REQUESTS_PER_MINUTE = given.LIMIT_REQUESTS_PER_MINUTE  # per user
LIMIT_CHANGES_PER_DAY = given.LIMIT_CHANGES_PER_DAY  # per user
LIMIT_RESETS_PER_MINUTE = given.LIMIT_RESETS_PER_MINUTE  # per address
LIMIT_RESET_MAILS_PER_HOUR = given.LIMIT_RESET_MAILS_PER_HOUR  # per user
LIMIT_NOTICES_PER_HOUR = given.LIMIT_NOTICES_PER_HOUR  # per user
LIMIT_EXPORTS_PER_MINUTE = given.LIMIT_EXPORTS_PER_MINUTE  # per user
PASSWORD_RESET_TIMEOUT = 60 * 60  # seconds for which a link to a new password is valid

# -- mail ----------------------------------------------------------------------------------------
_MAIL = given.EMAIL_URL
EMAIL_BACKEND = _MAIL["EMAIL_BACKEND"]
EMAIL_HOST = _MAIL["EMAIL_HOST"] or "localhost"
EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_SSL", False)
EMAIL_USE_TLS = _MAIL.get("EMAIL_USE_TLS", False)
EMAIL_PORT = _MAIL["EMAIL_PORT"] or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST_USER = _MAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_FILE_PATH = _MAIL["EMAIL_FILE_PATH"] or None  # filemail:////a/folder, for tests
EMAIL_TIMEOUT = 10  # seconds; only the mails behind it wait meanwhile
EMAIL_USE_LOCALTIME = False
DEFAULT_FROM_EMAIL = given.DEFAULT_FROM_EMAIL

# -- the product ---------------------------------------------------------------------------------
STAR_UP_TO_MINUTES = given.STAR_UP_TO_MINUTES  # focused minutes; above it is a planet
QUOTA_SESSIONS = given.QUOTA_SESSIONS
QUOTA_TASKS = given.QUOTA_TASKS
QUOTA_TASKS_OF_USER = given.QUOTA_TASKS_OF_USER
QUOTA_ANSWERS_MIB = given.QUOTA_ANSWERS_MIB
HISTORY_KEPT_DAYS = given.HISTORY_KEPT_DAYS
QUOTA_PICTURES_MIB = given.QUOTA_PICTURES_MIB
SOCKETS_PER_USER = given.SOCKETS_PER_USER
SOCKETS_UNAUTHENTICATED = given.SOCKETS_UNAUTHENTICATED
HEARTBEAT_S = 15

# -- REST ----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.LoginAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["web.json.Json"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttling.RequestsPerUser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "web.json.AnswerAnyway",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "web.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Space",
    "DESCRIPTION": "Focus sessions whose countdown the server owns. For the socket: asyncapi.yaml.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "sessions_app.api.schema.add_components",
        "sessions_app.api.schema.add_refusals",
    ],
}
BODY_LIMIT = 256 * 1024  # bytes
BODY_LIMIT_WITH_IMAGE = 8 * 1024 * 1024  # where an image is allowed
FILE_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT  # a larger body is written to disk while it arrives
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT_WITH_IMAGE  # `server/asgi/bodies.py` is the stricter one

# -- files ---------------------------------------------------------------------------------------
_SWAGGER = version("drf-spectacular-sidecar")
# One hash over the client is in the URL: modules import each other by relative paths, and every
# file can be cached for ever.
STATICFILES_DIRS = [BASE_DIR / "client"]
# The admin's and Swagger's files come with their packages: their versions count as content.
STATIC_URL = f"/static/{content_hash(BASE_DIR / 'client', django.__version__, _SWAGGER)}/"
STATIC_ROOT = given.STATIC_ROOT or None  # for collectstatic; without it, straight from client/
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False  # only the origins on the list
MEDIA_URL = "/media/"
MEDIA_ROOT = str(Path(given.MEDIA_ROOT or BASE_DIR / "media").absolute())

# -- time, security, logs ------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# Cookies are the admin's alone.
ADMIN = given.ADMIN
SESSION_COOKIE_NAME = "space_staff"
SESSION_COOKIE_AGE = 8 * 60 * 60  # seconds from the log-in: a day's work
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin/"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = given.HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "web.admin_middleware.csrf_failed"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

if given.HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
    SECURE_SSL_REDIRECT = given.SECURE_SSL_REDIRECT
    SECURE_HSTS_SECONDS = given.SECURE_HSTS_SECONDS
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
SILENCED_SYSTEM_CHECKS = [
    # "No CsrfViewMiddleware": ours is a subclass, for /admin/. The API ignores cookies.
    "security.W003",
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

METRICS_LISTEN = given.METRICS_LISTEN  # a host and a port, or None
METRICS_TOKEN = given.METRICS_TOKEN

LOG_REQUESTS = given.LOG_REQUESTS
WATCHDOG = given.WATCHDOG
if given.LOG_FORMAT not in {"json", "lines"}:
    raise ImproperlyConfigured("LOG_FORMAT is json or lines")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ops.logs.Json"}, "lines": {"()": "ops.logs.Lines"}},
    "filters": {
        "one_line_per_outage": {"()": "ops.logs.OneLinePerOutage"},
        "repeat_limit": {"()": "ops.logs.RepeatLimit"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": given.LOG_FORMAT,
            "filters": ["repeat_limit"],
        }
    },
    "root": {"handlers": ["stderr"], "level": given.LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},  # of Django's own handlers one sends mail
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # any client can write any Host
        "django.request": {"level": "ERROR"},  # a 404 is the client's error
        "channels_redis.pubsub": {"filters": ["one_line_per_outage"]},
        "daphne": {"level": "WARNING"},
        "uvicorn": {"level": "WARNING"},  # INFO has two lines for each socket, DEBUG each frame
        "websockets": {"level": "WARNING"},  # the same
        "PIL": {"level": "INFO"},  # DEBUG has each chunk of a picture
    },
}
