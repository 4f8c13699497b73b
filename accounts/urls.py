"""Addresses of people's own pages, beside those of allauth."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("sessions/<int:pk>/end/", views.end_session, name="end-session"),
]
