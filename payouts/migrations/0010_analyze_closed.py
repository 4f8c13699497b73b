"""Statistics of a month that was closed, taken once: the site's role owns nothing and cannot."""

from django.db import migrations, models

# What a close fills, and what is read of it afterwards by audits and pages. Each table is sampled, so
# it takes about as long whatever was closed before.
ANALYZE = """
CREATE FUNCTION payouts_analyze_closed() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE public.payouts_share;
    ANALYZE public.payouts_patronstatement;
    ANALYZE public.payouts_creatorstatement;
    ANALYZE public.funds_transfer;
    ANALYZE public.funds_ledgeraccount;
END $$;
"""

ANALYZE_REVERSE = "DROP FUNCTION payouts_analyze_closed();"


class Migration(migrations.Migration):
    dependencies = [("payouts", "0009_books_cleared"), ("funds", "0007_transfers_at_speed")]

    operations = [
        migrations.RunSQL(ANALYZE, ANALYZE_REVERSE),
        migrations.AlterField(
            model_name="chunk",
            name="step",
            field=models.CharField(
                choices=[
                    ("divide", "Divide"),
                    ("sum_up", "Sum up"),
                    ("index", "Index"),
                    ("pay", "Pay"),
                    ("release", "Release"),
                    ("analyze", "Analyze"),
                ],
                max_length=8,
            ),
        ),
    ]
