"""The door for a production server: `gunicorn flattr_site.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flattr_site.settings")

application = get_wsgi_application()
