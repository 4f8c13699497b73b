from django.apps import AppConfig
from django.core.checks import Tags, register

from flattr_site.checks import check_deployment


class FlattrSiteConfig(AppConfig):
    name = "flattr_site"

    def ready(self) -> None:
        register(check_deployment, Tags.security, deploy=True)
