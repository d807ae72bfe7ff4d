from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False  # an index that is made CONCURRENTLY holds nobody up

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='login',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='login_ended'),
        ),
        AddIndexConcurrently(
            model_name='login',
            index=models.Index(fields=['refreshed_at'], name='login_refreshed'),
        ),
    ]
