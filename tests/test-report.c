/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-metrics-private.h"
#include "vt-status-page-private.h"

#define HOSTILE "a\\b\"c\nd<script>&'\xff"

static VtReport *
create_report (void)
{
  VtReport *report = vt_report_new ();

  report->now = G_GINT64_CONSTANT (1795893403) * G_USEC_PER_SEC;
  report->started_at = report->now - 90 * G_TIME_SPAN_SECOND;
  report->counters = vt_counters_new ();
  report->is_running = TRUE;
  return report;
}

static VtReportSession *
add_session (VtReport *report, const char *user)
{
  VtReportSession *session = vt_report_add_session (report);

  session->id = g_strdup ("0123456789abcdef0123456789abcdef");
  session->user = g_strdup (user);
  session->address = g_strdup ("192.0.2.1:4711");
  session->opened_at = report->now - 3 * G_TIME_SPAN_HOUR;
  session->protocol = 2;
  session->connected = TRUE;
  return session;
}

static VtReportForward *
add_forward (VtReportSession *session, const char *name)
{
  VtReportForward *forward = vt_report_session_add_forward (session);

  forward->name = g_strdup (name);
  forward->state = "listening";
  return forward;
}

static void
assert_contains (const char *text, const char *wanted)
{
  if (strstr (text, wanted) == NULL)
    g_test_fail_printf ("“%s” is missing in:\n%s", wanted, text);
}

static void
assert_lacks (const char *text, const char *unwanted)
{
  if (strstr (text, unwanted) != NULL)
    g_test_fail_printf ("“%s” is in:\n%s", unwanted, text);
}

/* What is open and what is over are one sum. */
static void
test_sums (void)
{
  g_autoptr(VtReport) report = create_report ();
  VtReportSession *session;
  g_autofree char *text = NULL;
  g_autofree char *page = NULL;

  report->counters->bytes_sent = 1000;
  report->counters->bytes_received = G_GUINT64_CONSTANT (5000000000);
  for (int i = 0; i < 2; i++)
    {
      session = add_session (report, "alice");
      session->open_bytes_sent = 11;
      session->open_bytes_received = 22;
      session->queued = 3;
      session->unacknowledged = 4;
      session->buffered = 5;
      session->n_streams = 6;
      add_forward (session, "localhost:9000");
    }
  session->connected = FALSE;
  session->protocol = 1;
  text = vt_metrics_write (report, FALSE);
  assert_contains (text, "\nvtunnel_sent_bytes_total 1022\n");
  assert_contains (text, "\nvtunnel_received_bytes_total 5000000044\n");
  assert_contains (text, "\nvtunnel_queued_bytes 6\n");
  assert_contains (text, "\nvtunnel_unacknowledged_bytes 8\n");
  assert_contains (text, "\nvtunnel_buffered_bytes 10\n");
  assert_contains (text, "\nvtunnel_streams 12\n");
  assert_contains (text, "\nvtunnel_forwards 2\n");
  assert_contains (text, "\nvtunnel_sessions{protocol=\"1\"} 1\n");
  assert_contains (text, "\nvtunnel_sessions{protocol=\"2\"} 1\n");
  assert_contains (text, "\nvtunnel_sessions_suspended 1\n");
  assert_lacks (text, "vtunnel_session_");
  page = vt_status_page_write (report);
  assert_contains (page, "<dd>1.0 kB</dd>");
  assert_contains (page, "<dd>5.0 GB</dd>");
  assert_contains (page, "running for 90 s");
  assert_contains (page, "(3 h)");
}

static void
test_round_trips (void)
{
  g_autoptr(VtReport) report = create_report ();
  g_autofree char *text = NULL;

  vt_counters_note_round_trip (report->counters, 500);
  vt_counters_note_round_trip (report->counters, 501);
  vt_counters_note_round_trip (report->counters, 2500000);
  vt_counters_note_round_trip (report->counters, 10000000);
  text = vt_metrics_write (report, FALSE);
  assert_contains (text, "\nvtunnel_round_trip_seconds_bucket{le=\"0.0005\"} 1\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_bucket{le=\"0.001\"} 2\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_bucket{le=\"1\"} 2\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_bucket{le=\"2.5\"} 3\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_bucket{le=\"+Inf\"} 4\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_sum 12.501001\n");
  assert_contains (text, "\nvtunnel_round_trip_seconds_count 4\n");
}

static void
test_refusals (void)
{
  g_autoptr(VtReport) report = create_report ();
  g_autoptr(GError) in_use = g_error_new_literal (VT_ERROR, VT_ERROR_ADDRESS_IN_USE, "");
  g_autoptr(GError) other = g_error_new_literal (G_FILE_ERROR, 77, "");
  g_autofree char *text = NULL;

  vt_counters_note_request_refused (report->counters, 401);
  vt_counters_note_request_refused (report->counters, 418);
  vt_counters_note_forward_refused (report->counters, in_use);
  vt_counters_note_forward_refused (report->counters, other);
  text = vt_metrics_write (report, FALSE);
  assert_contains (text, "\nvtunnel_requests_refused_total{status=\"401\"} 1\n");
  assert_contains (text, "\nvtunnel_requests_refused_total{status=\"other\"} 1\n");
  assert_contains (text, "\nvtunnel_forwards_refused_total{reason=\"address-in-use\"} 1\n");
  assert_contains (text, "\nvtunnel_forwards_refused_total{reason=\"failed\"} 1\n");
}

/* Whatever somebody calls themselves, it is a label and a text, and nothing else. */
static void
test_hostile_names (void)
{
  g_autoptr(VtReport) report = create_report ();
  VtReportSession *session = add_session (report, HOSTILE);
  g_autofree char *text = NULL;
  g_autofree char *page = NULL;

  add_forward (session, HOSTILE);
  session->rtt = 12345;
  g_free (session->address);
  session->address = g_strdup (HOSTILE);
  text = vt_metrics_write (report, TRUE);
  assert_contains (text, "user=\"a\\\\b\\\"c\\nd<script>&'\xef\xbf\xbd\"} 0\n");
  assert_contains (text, "\xef\xbf\xbd\"} 0.012345\n");
  page = vt_status_page_write (report);
  assert_lacks (page, "<script>");
  assert_contains (page, "<h2>a\\b&quot;c\nd&lt;script&gt;&amp;&apos;\xef\xbf\xbd</h2>");
  assert_contains (page, "<td>a\\b&quot;c\nd&lt;script&gt;");
  assert_contains (page, "from a\\b&quot;c\nd&lt;script&gt;");
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_true (g_utf8_validate (page, -1, NULL));
}

static void
test_empty_and_many (void)
{
  g_autoptr(VtReport) report = create_report ();
  g_autofree char *empty = vt_status_page_write (report);
  g_autofree char *many = NULL;

  assert_contains (empty, "There is no client.");
  for (int i = 0; i < 507; i++)
    add_session (report, NULL);
  report->is_running = FALSE;
  many = vt_status_page_write (report);
  assert_contains (many, "<h2>01234567</h2>");
  assert_contains (many, "And 7 more clients.");
  assert_contains (many, "Shutting down");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/report/sums", test_sums);
  g_test_add_func ("/report/round-trips", test_round_trips);
  g_test_add_func ("/report/refusals", test_refusals);
  g_test_add_func ("/report/hostile-names", test_hostile_names);
  g_test_add_func ("/report/empty-and-many", test_empty_and_many);
  return g_test_run ();
}
