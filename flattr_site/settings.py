"""Every setting of this instance, read once from the environment.

Nothing else reads the environment. Each variable is described, with its unit and default, in
`.env.example`; what can be wrong only in production is a system check in `flattr_site/checks.py`.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import dj_email_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from environs import Env, validate

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(str(BASE_DIR / ".env"), recurse=False)

# What kind of instance this is.

DEBUG = env.bool("DEBUG", False)
SANDBOX = env.bool("SANDBOX", False)
SECRET_KEY = env.str("SECRET_KEY")
BASE_URL = env.str("BASE_URL", "http://localhost:8000").rstrip("/")
_base = urlsplit(BASE_URL)
if _base.scheme not in ("http", "https") or not _base.hostname:
    raise ImproperlyConfigured(f"BASE_URL is not the address of a site: {BASE_URL!r}")
IS_HTTPS = _base.scheme == "https"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", [_base.hostname])
SOURCE_URL = env.str("SOURCE_URL", "")

# The rules of the instance. Amounts in the environment are cents; the code counts micro-units.

# Stripe counts these in whole units or in thousandths, and the ledger in hundredths.
# https://docs.stripe.com/currencies#zero-decimal
OTHER_DECIMALS = frozenset(
    [
        "BHD",
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JOD",
        "JPY",
        "KMF",
        "KRW",
        "KWD",
        "MGA",
        "OMR",
        "PYG",
        "RWF",
        "TND",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
ZERO_OR_MORE, ONE_OR_MORE = validate.Range(min=0), validate.Range(min=1)

DEFAULT_CURRENCY = env.str("DEFAULT_CURRENCY", "EUR")
CURRENCIES = env.list("CURRENCIES", [DEFAULT_CURRENCY])
if DEFAULT_CURRENCY not in CURRENCIES:
    raise ImproperlyConfigured("CURRENCIES must name DEFAULT_CURRENCY.")
for _currency in CURRENCIES:
    if not re.fullmatch("[A-Z]{3}", _currency) or _currency in OTHER_DECIMALS:
        raise ImproperlyConfigured(
            f"DEFAULT_CURRENCY and CURRENCIES are three capital letters each, of currencies that "
            f"Stripe counts in hundredths: {_currency!r}."
        )
BUDGET_MIN_MICROS = env.int("BUDGET_MIN_CENTS", 200, validate=ONE_OR_MORE) * 10_000
TOP_UP_MIN_MICROS = env.int("TOP_UP_MIN_CENTS", 300, validate=ONE_OR_MORE) * 10_000
FUNDS_MAX_MICROS = env.int("FUNDS_MAX_CENTS", 15_000, validate=ONE_OR_MORE) * 10_000
if max(BUDGET_MIN_MICROS, TOP_UP_MIN_MICROS) > FUNDS_MAX_MICROS:
    raise ImproperlyConfigured(
        "FUNDS_MAX_CENTS must leave room for BUDGET_MIN_CENTS and TOP_UP_MIN_CENTS."
    )
FEE_BASIS_POINTS = env.int("FEE_BASIS_POINTS", 1_000, validate=validate.Range(0, 10_000))
WITHDRAWAL_MIN_MICROS = env.int("WITHDRAWAL_MIN_CENTS", 100, validate=ONE_OR_MORE) * 10_000
WAITING_MONTHS = env.int("WAITING_MONTHS", 6, validate=ZERO_OR_MORE)
GIVE_TO_RECEIVE = env.bool("GIVE_TO_RECEIVE", True)
REVENUE_HOLD_DAYS = env.int("REVENUE_HOLD_DAYS", 0, validate=ZERO_OR_MORE)
REVIEW_FIRST_WITHDRAWAL = env.bool("REVIEW_FIRST_WITHDRAWAL", False)

# Stripe. An empty STRIPE_API_BASE means Stripe itself.

STRIPE_API_BASE = env.str("STRIPE_API_BASE", "")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_CONNECT_WEBHOOK_SECRET = env.str("STRIPE_CONNECT_WEBHOOK_SECRET", "")
MEANS_GAINED_TASK = "buttons.tasks.complete_presses"

# Whom the page fetcher asks for names, `address` or `address:port`; without any, those that the
# machine asks.


def _name_server(text: str) -> tuple[str, int]:
    try:
        server = urlsplit(f"//{text}")
        return str(ip_address(server.hostname or "")), server.port or 53
    except ValueError as error:
        raise ImproperlyConfigured(f"DNS_SERVERS: {text!r} is no address of a server.") from error


DNS_SERVERS: list[tuple[str, int]] = env.list("DNS_SERVERS", [], subcast=_name_server)

# The page fetcher may reach these although they are private: the sandbox's own blog.
FETCH_ALLOWED_HOSTS: list[str] = env.list("FETCH_ALLOWED_HOSTS", [])

if not DEBUG and (SANDBOX or STRIPE_API_BASE or FETCH_ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "SANDBOX, STRIPE_API_BASE and FETCH_ALLOWED_HOSTS belong to a sandbox: "
        "unset them, or set DEBUG=true on a machine that handles no real money."
    )

# The Django project.

INSTALLED_APPS = [
    "flattr_site",
    "payouts",
    "buttons",
    "funds",
    "accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "csp",
]
if SANDBOX:
    # For its command `load_demo`; nothing of the site imports it.
    INSTALLED_APPS.append("sandbox")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "buttons.embed.middleware.without_cookies",
    "buttons.embed.middleware.remembered_badges",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "flattr_site.middleware.PermissionsPolicy",
    "flattr_site.middleware.ErrorPages",
]

ROOT_URLCONF = "flattr_site.urls"
WSGI_APPLICATION = "flattr_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "flattr_site.context.site",
            ],
        },
    },
]

# Two roles, one database: the owner migrates, and everything else connects as a role that owns
# nothing and cannot change a transfer.


def _database(variable: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            f"{variable} must look like postgres://user:password@host:5432/name."
        )
    parsed: dict[str, Any] = {**dj_database_url.parse(url, conn_max_age=60)}
    return {
        **parsed,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **parsed.get("OPTIONS", {}),
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        },
        "TEST": {"NAME": f"test_{parts.path.strip('/')}"},
    }


DATABASES = {"default": _database("DATABASE_URL", env.str("DATABASE_URL"))}
DATABASE_APP_ROLE = DATABASES["default"]["USER"]
DATABASE_OWNER = _database(
    "DATABASE_OWNER_URL", env.str("DATABASE_OWNER_URL", env.str("DATABASE_URL"))
)

REDIS_URL = env.str("REDIS_URL", "redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "flattr_site.cache.SiteCache",
        "LOCATION": REDIS_URL,
        # Pages are served without Redis; what limits money counts rows in PostgreSQL instead.
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
        },
        "KEY_PREFIX": "flattr",
    },
    # What a process may remember for seconds without asking anybody.
    "process": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1_000},
    },
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
RATELIMIT_FAIL_OPEN = True

# People.

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/dashboard/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.NewPasswordForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "add_email": "accounts.forms.NewEmailForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # Only in the browser that signed up.
ACCOUNT_CHANGE_EMAIL = True  # One address; a new one replaces it once it is confirmed.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _base.scheme

# How many proxies of this instance's own stand in front of it: their X-Forwarded-For is believed.
TRUSTED_PROXY_COUNT = ALLAUTH_TRUSTED_PROXY_COUNT = env.int(
    "TRUSTED_PROXY_COUNT", 0, validate=ZERO_OR_MORE
)
RATELIMIT_IP_META_KEY = "accounts.rate_limits.client_ip"

# Mail: smtp://user:password@host:587/?tls=true, or file:///folder in the sandbox.

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", f"Flattr <flattr@{_base.hostname}>")
_mail = urlsplit(env.str("EMAIL_URL", "smtp://localhost:25"))
if _mail.scheme == "file":
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = _mail.path
else:
    vars().update(dj_email_url.parse(_mail.geturl()))
EMAIL_TIMEOUT = 10

# Language and time. All months are UTC.

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Files.

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / ".data" / "static"
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    }
}
WHITENOISE_USE_FINDERS = DEBUG

# The browser's rules.

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "flattr_session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "flattr_csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
SECURE_SSL_REDIRECT = IS_HTTPS and not DEBUG
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS and not DEBUG else 0
# The operator's other hosts below this name are theirs to decide about.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "flattr_site.views.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [
            SELF,
            "https://checkout.stripe.com",
            "https://connect.stripe.com",
            *([STRIPE_API_BASE] if STRIPE_API_BASE else []),
        ],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# Background work: PostgreSQL holds the truth, Celery brings hands (DESIGN section 5).

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    # While Redis is down, a page that sends a hint waits no longer than one attempt takes.
    "max_retries": 1,
    "interval_start": 0,
}
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
