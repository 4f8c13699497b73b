from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    # The admin would list two apps as "Accounts": this one and allauth's of addresses.
    verbose_name = "People"
