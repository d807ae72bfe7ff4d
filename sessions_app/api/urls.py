from django.urls import path

from sessions_app.api import views
from sessions_app.api.export import ExportView

urlpatterns = [
    path("users/me/export/", ExportView.as_view()),
    path("changes/", views.ChangesView.as_view()),
    path("spaces/", views.SpacesView.as_view()),
    path("sessions/", views.SessionsView.as_view()),
    path("sessions/<id:session_id>/", views.SessionView.as_view()),
    path("sessions/<id:session_id>/repeat/", views.RepeatView.as_view()),
    path("sessions/<id:session_id>/events/", views.EventsView.as_view()),
    path("sessions/<id:session_id>/spaces/", views.SessionSpacesView.as_view()),
    path("sessions/<id:session_id>/tasks/", views.TasksView.as_view()),
    path("sessions/<id:session_id>/tasks/<id:task_id>/", views.TaskView.as_view()),
    *(
        path(f"sessions/<id:session_id>/{action}/", view.as_view())
        for action, view in views.COMMANDS.items()
    ),
]
