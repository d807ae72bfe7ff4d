"""The paths of sessions, tasks, the sky and the export."""

from django.urls import path

from sessions_app.api import session_views, sky_views, task_views, timer_views
from sessions_app.api.export import ExportView

urlpatterns = [
    path("users/me/export/", ExportView.as_view()),
    path("changes/", session_views.ChangesView.as_view()),
    path("spaces/", sky_views.SpacesView.as_view()),
    path("sessions/", session_views.SessionsView.as_view()),
    path("sessions/<id:session_id>/", session_views.SessionView.as_view()),
    path("sessions/<id:session_id>/repeat/", session_views.RepeatView.as_view()),
    path("sessions/<id:session_id>/events/", session_views.EventsView.as_view()),
    path("sessions/<id:session_id>/spaces/", sky_views.SessionSpacesView.as_view()),
    path("sessions/<id:session_id>/tasks/", task_views.TasksView.as_view()),
    path("sessions/<id:session_id>/tasks/<id:task_id>/", task_views.TaskView.as_view()),
    *(
        path(f"sessions/<id:session_id>/{action}/", view.as_view())
        for action, view in timer_views.COMMANDS.items()
    ),
]
