"""Addresses of the funds, and the two that Stripe posts to."""

from django.urls import path

from funds import views

app_name = "funds"

urlpatterns = [
    path("funds/", views.statement, name="statement"),
    path("funds/add/", views.add, name="add"),
    path("funds/budget/", views.budget, name="budget"),
    path("funds/budget/reuse/", views.reuse, name="reuse"),
    path("funds/top-up/<uuid:top_up_id>/", views.top_up, name="top-up"),
    path("funds/top-up/<uuid:top_up_id>/close/", views.close_top_up, name="close-top-up"),
    path("funds/top-up/<uuid:top_up_id>/return/", views.return_top_up, name="return-top-up"),
    path("stripe/webhook/", views.webhook, {"endpoint": "account"}, name="webhook"),
    path("stripe/webhook/connect/", views.webhook, {"endpoint": "connect"}, name="webhook-connect"),
]
