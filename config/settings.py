"""Settings, all of them from the environment (see `.env.example` for the list).

`SPACE_ENV` says where we are: `development` relaxes what a laptop cannot have; anything else is
production, where a secret has no default and a missing one stops the start.
"""

import sys
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from config.static_hash import content_hash

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")

DEVELOPMENT = env.str("SPACE_ENV", "production") == "development"
DEBUG = False  # a traceback page shows settings; errors are JSON and the log has the traceback


def secret(name: str) -> str:
    """A secret of at least 32 bytes. There is no default: a known key signs anybody in."""
    value: str = env.str(name, "")
    if len(value.encode()) < 32:
        raise ImproperlyConfigured(f"{name} must be set, to at least 32 bytes of randomness")
    return value


SECRET_KEY = secret("SECRET_KEY")
TOKEN_SIGNING_KEY = secret("TOKEN_SIGNING_KEY")  # its own, so that either can be changed alone

# -- where we are reached ------------------------------------------------------------------------
# PUBLIC_URL is what absolute URLs start with. Empty (development): REST uses the request's host.
PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEVELOPMENT else [])
# The published web client runs on http://localhost:5173.
CORS_ALLOWED_ORIGINS = env.list(
    "CORS_ALLOWED_ORIGINS",
    default=["http://localhost:5173", "http://127.0.0.1:5173"] if DEVELOPMENT else [],
)
CORS_EXPOSE_HEADERS = ["Link", "ETag", "Retry-After", "X-Request-Id"]
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-match", "x-request-id")
]
# Browser origins that may open a socket, besides the page's own: exact, scheme and port included.
WEBSOCKET_ORIGINS = env.list("WEBSOCKET_ORIGINS", default=CORS_ALLOWED_ORIGINS)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", 0)  # how many proxies of ours append X-Forwarded-For
FORWARDED_ALLOW_IPS = env.str("FORWARDED_ALLOW_IPS", "")  # their addresses

# -- what is installed ---------------------------------------------------------------------------
INSTALLED_APPS = [
    # First: its `runserver` replaces Django's. Twisted takes 0.3 s to import, so only for that.
    *(["daphne"] if "runserver" in sys.argv else []),
    "django.contrib.auth",
    "django.contrib.contenttypes",
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
    "config.middleware.RequestId",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.static.Static",
    "config.middleware.BodyLimit",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False  # a redirect would lose the body of a POST; both forms are routed or 404
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- PostgreSQL holds the truth ------------------------------------------------------------------
DB_DRIVER = env.str("DB_DRIVER", "psycopg")
if DB_DRIVER == "psycopg2":
    sys.modules["psycopg"] = None  # type: ignore[assignment]  # Django prefers psycopg 3 wherever it can be imported
elif DB_DRIVER != "psycopg":
    raise ImproperlyConfigured("DB_DRIVER is psycopg or psycopg2")

DATABASES = {"default": env.db_url("DATABASE_URL")}
_LIMITS = {
    "statement_timeout": env.int("DB_STATEMENT_TIMEOUT_MS", 5_000),
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
        "max_size": env.int("DB_POOL_SIZE", 20),
        "timeout": 2,  # seconds a request waits for a connection before it is told 503
        "reconnect_timeout": 1,  # else attempts wait ever longer (see `sessions_app.reconnect`)
    }

# -- Redis carries state changes -----------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL")
_TCP_KEEPALIVE = {4: 5, 5: 2, 6: 3} if sys.platform == "linux" else {}  # idle, interval, count
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "prefix": env.str("CHANNEL_PREFIX", "space"),
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_connect_timeout": 2,
                    "socket_timeout": None,  # a subscriber may be silent for hours
                    "socket_keepalive": True,
                    "socket_keepalive_options": _TCP_KEEPALIVE,
                    "health_check_interval": 10,
                }
            ],
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": env.str("CHANNEL_PREFIX", "space"),
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# -- accounts ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashing.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCESS_TOKEN_LIFETIME = timedelta(minutes=env.int("ACCESS_TOKEN_MINUTES", 24 * 60))
REFRESH_TOKEN_LIFETIME = timedelta(days=env.int("REFRESH_TOKEN_DAYS", 60))
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": TOKEN_SIGNING_KEY,
    "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "LEEWAY": timedelta(seconds=30),  # a machine 3 s behind must not refuse a fresh token
    "AUTH_HEADER_TYPES": ("Bearer",),
    "UPDATE_LAST_LOGIN": False,
}
LIMIT_SIGNUPS_PER_MINUTE = env.int("LIMIT_SIGNUPS_PER_MINUTE", 120)  # per address
LIMIT_FAILED_LOGINS_PER_MINUTE = env.int("LIMIT_FAILED_LOGINS_PER_MINUTE", 10)  # per name
LIMIT_REQUESTS_PER_MINUTE = env.int("LIMIT_REQUESTS_PER_MINUTE", 1_200)  # per user

# -- the product ---------------------------------------------------------------------------------
STAR_UP_TO_MINUTES = env.int("STAR_UP_TO_MINUTES", 30)  # focused minutes; above it is a planet
SOCKETS_PER_USER = env.int("SOCKETS_PER_USER", 10)
HEARTBEAT_S = 15

# -- REST ----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.LoginAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.json.Json"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.limits.RequestsPerUser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.json.AnswerAnyway",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.errors.handle",
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
    ],
}
BODY_LIMIT = 256 * 1024  # bytes
BODY_LIMIT_WITH_IMAGE = 8 * 1024 * 1024  # where an image is allowed
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT_WITH_IMAGE  # `config/bodies.py` is the stricter one

# -- files ---------------------------------------------------------------------------------------
# One hash over the client in the URL: modules import each other by relative paths, and every file
# can be cached for ever.
STATICFILES_DIRS = [BASE_DIR / "client"]
STATIC_URL = f"/static/{content_hash(BASE_DIR / 'client')}/"
STATIC_ROOT = (
    env.str("STATIC_ROOT", "") or None
)  # for collectstatic; without it, straight from client/
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = False
MEDIA_URL = "/media/"
MEDIA_ROOT = env.path("MEDIA_ROOT", str(BASE_DIR / "media"))()

# -- time, security, logs ------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

_HTTPS = env.bool("HTTPS", not DEVELOPMENT)
if _HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # no CSRF middleware: nothing is authenticated by a cookie
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # anybody can write any Host
        "django.request": {"level": "ERROR"},  # a 404 is the client's affair
        "daphne": {"level": "WARNING"},
        "uvicorn": {"level": "WARNING"},  # two lines for each socket that opens
    },
}
