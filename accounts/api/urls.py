"""The paths of accounts, below `users/`."""

from django.urls import path

from accounts.api.entry_views import LogInView, LogOutView, RefreshView, SignUpView
from accounts.api.me_views import LoginsView, LoginView, LogOutAllView, MeView, PasswordView
from accounts.api.password_reset_views import ResetConfirmView, ResetView

urlpatterns = [
    path("signup/", SignUpView.as_view()),
    path("login/", LogInView.as_view()),
    path("token/refresh/", RefreshView.as_view()),
    path("logout/", LogOutView.as_view()),
    path("logout-all/", LogOutAllView.as_view()),
    path("password/", PasswordView.as_view()),
    path("password/reset/", ResetView.as_view()),
    path("password/reset/confirm/", ResetConfirmView.as_view()),
    path("me/", MeView.as_view()),
    path("me/logins/", LoginsView.as_view()),
    path("me/logins/<int:login_id>/", LoginView.as_view()),
]
