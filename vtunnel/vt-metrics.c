/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-metrics-private.h"

#include <vtunnel/vt-version.h>

#include "vt-error-private.h"

#define PREFIX "vtunnel_"

/* "# HELP" and "# TYPE" of one family, whose samples follow. */
static void
begin (GString *out, const char *name, const char *type, const char *help)
{
  g_string_append_printf (out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
                          type);
}

/* Within a label's value, these three are escaped, and nothing else. */
static void
append_escaped (GString *out, const char *text)
{
  for (; *text != '\0'; text++)
    switch (*text)
      {
      case '\\':
        g_string_append (out, "\\\\");
        break;
      case '"':
        g_string_append (out, "\\\"");
        break;
      case '\n':
        g_string_append (out, "\\n");
        break;
      default:
        g_string_append_c (out, *text);
      }
}

static void
append_label (GString *out, gboolean *is_first, const char *label, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value, -1);

  g_string_append_printf (out, "%c%s=\"", *is_first ? '{' : ',', label);
  append_escaped (out, valid);
  g_string_append_c (out, '"');
  *is_first = FALSE;
}

static void
add_number (GString *out, const char *name, guint64 value)
{
  g_string_append_printf (out, PREFIX "%s %" G_GUINT64_FORMAT "\n", name, value);
}

/* Seconds as the locale does not write them. */
static void
append_seconds (GString *out, gint64 microseconds)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (out, g_ascii_formatd (text, sizeof text, "%.10g", microseconds / 1e6));
}

static void
add_labelled (GString *out, const char *name, const char *label, const char *text, guint64 value)
{
  gboolean is_first = TRUE;

  g_string_append_printf (out, PREFIX "%s", name);
  append_label (out, &is_first, label, text);
  g_string_append_printf (out, "} %" G_GUINT64_FORMAT "\n", value);
}

static void
add_counter (GString *out, const char *name, const char *help, guint64 value)
{
  begin (out, name, "counter", help);
  add_number (out, name, value);
}

static void
add_gauge (GString *out, const char *name, const char *help, guint64 value)
{
  begin (out, name, "gauge", help);
  add_number (out, name, value);
}

/* A counter for each of these reasons. */
static void
add_by_reason (GString *out,
               const char *name,
               const char *help,
               const char *const *reasons,
               const guint64 *values,
               size_t n)
{
  begin (out, name, "counter", help);
  for (size_t i = 0; i < n; i++)
    add_labelled (out, name, "reason", reasons[i], values[i]);
}

static void
write_build (GString *out, const VtReport *report)
{
  begin (out, "build_info", "gauge", "Always 1; the label says which version it is.");
  add_labelled (out, "build_info", "version", VT_VERSION_STRING, 1);
  begin (out, "start_time_seconds", "gauge", "When the server was made, in Unix time.");
  g_string_append (out, PREFIX "start_time_seconds ");
  append_seconds (out, report->started_at);
  g_string_append_c (out, '\n');
}

static void
write_requests (GString *out, const VtReport *report)
{
  const VtCounters *counters = report->counters;

  add_counter (out, "http_connections_total", "Connections to the server's own ports.",
               counters->connections);
  add_counter (out, "tls_failures_total", "TLS handshakes that came to nothing.",
               counters->tls_failures);
  begin (out, "requests_refused_total", "counter", "Requests that got this HTTP status.");
  for (size_t i = 0; i < VT_COUNTERS_N_STATUSES; i++)
    {
      unsigned int status = vt_counters_get_status (i);
      g_autofree char *text = g_strdup_printf ("%u", status);

      add_labelled (out, "requests_refused_total", "status", status != 0 ? text : "other",
                    counters->requests_refused[i]);
    }
}

static void
write_pauses (GString *out, const VtReport *report)
{
  static const char *const reasons[] = {
    [VT_LISTENER_PAUSE_DESCRIPTORS] = "descriptors",
    [VT_LISTENER_PAUSE_RATE] = "rate",
  };

  add_by_reason (out, "accept_pauses_total",
                 "How often accepting stopped for a while: no descriptors, or too many at a time.",
                 reasons, report->accept_pauses, G_N_ELEMENTS (reasons));
}

static void
write_session_counts (GString *out, const VtReport *report)
{
  unsigned int n_by_protocol[2] = { 0 };
  unsigned int n_suspended = 0;

  for (unsigned int i = 0; i < report->sessions->len; i++)
    {
      const VtReportSession *session = &g_array_index (report->sessions, VtReportSession, i);

      n_by_protocol[session->protocol == 2]++;
      n_suspended += !session->connected;
    }
  begin (out, "sessions", "gauge", "Clients, with those that are lost and may come back.");
  add_labelled (out, "sessions", "protocol", "1", n_by_protocol[0]);
  add_labelled (out, "sessions", "protocol", "2", n_by_protocol[1]);
  add_gauge (out, "sessions_suspended", "Clients that are lost and may come back.", n_suspended);
  add_gauge (out, "arrivals", "Clients that have not greeted yet.", report->n_arrivals);
}

static void
write_sessions (GString *out, const VtReport *report)
{
  static const char *const reasons[] = {
    [VT_COUNTERS_FULL] = "full",
    [VT_COUNTERS_CROWDED] = "crowded",
    [VT_COUNTERS_LEAVING] = "shutting-down",
  };
  const VtCounters *counters = report->counters;

  write_session_counts (out, report);
  begin (out, "sessions_opened_total", "counter", "Clients that have come.");
  add_labelled (out, "sessions_opened_total", "protocol", "1", counters->sessions_opened[0]);
  add_labelled (out, "sessions_opened_total", "protocol", "2", counters->sessions_opened[1]);
  add_counter (out, "sessions_resumed_total", "How often a client came back to its session.",
               counters->sessions_resumed);
  add_by_reason (out, "sessions_refused_total", "Clients for which there was no room.", reasons,
                 counters->sessions_refused, G_N_ELEMENTS (reasons));
}

static void
write_forwards (GString *out, const VtReport *report)
{
  const VtCounters *counters = report->counters;
  guint64 n_forwards = 0;

  for (unsigned int i = 0; i < report->sessions->len; i++)
    n_forwards += g_array_index (report->sessions, VtReportSession, i).forwards->len;
  add_gauge (out, "forwards", "Forwards that are open.", n_forwards);
  add_counter (out, "forwards_opened_total", "Forwards that were opened.",
               counters->forwards_opened);
  begin (out, "forwards_refused_total", "counter", "Forwards that were refused for this reason.");
  for (int code = 0; code < (int) VT_COUNTERS_N_CODES; code++)
    if (counters->forwards_refused[code] > 0 || code == VT_ERROR_PERMISSION_DENIED
        || code == VT_ERROR_ADDRESS_IN_USE || code == VT_ERROR_LIMIT)
      add_labelled (out, "forwards_refused_total", "reason", vt_error_code_to_word (code),
                    counters->forwards_refused[code]);
}

static void
write_streams (GString *out, const VtReport *report)
{
  static const char *const reasons[] = {
    [VT_COUNTERS_NO_ROOM] = "limit",
    [VT_COUNTERS_NO_PROXY_HEADER] = "proxy-header",
  };
  const VtCounters *counters = report->counters;
  guint64 n_streams = 0;

  for (unsigned int i = 0; i < report->sessions->len; i++)
    n_streams += g_array_index (report->sessions, VtReportSession, i).n_streams;
  add_gauge (out, "streams", "Connections of users that are open.", n_streams);
  add_counter (out, "streams_opened_total", "Connections of users that were opened.",
               counters->streams_opened);
  add_counter (out, "streams_failed_total", "Those that did not end in order.",
               counters->streams_failed);
  add_by_reason (out, "users_refused_total", "Users that were reset at once.", reasons,
                 counters->users_refused, G_N_ELEMENTS (reasons));
}

/* The counters hold what is over; what is open is in the sessions. */
static void
write_bytes (GString *out, const VtReport *report)
{
  guint64 sent = report->counters->bytes_sent;
  guint64 received = report->counters->bytes_received;
  guint64 queued = 0;
  guint64 unacknowledged = 0;
  guint64 buffered = 0;

  for (unsigned int i = 0; i < report->sessions->len; i++)
    {
      const VtReportSession *session = &g_array_index (report->sessions, VtReportSession, i);

      sent += session->open_bytes_sent;
      received += session->open_bytes_received;
      queued += session->queued;
      unacknowledged += session->unacknowledged;
      buffered += session->buffered;
    }
  add_counter (out, "sent_bytes_total", "Payload from users to clients.", sent);
  add_counter (out, "received_bytes_total", "Payload from clients to users.", received);
  add_gauge (out, "queued_bytes", "What waits for the WebSockets to take it.", queued);
  add_gauge (out, "unacknowledged_bytes", "What is kept until the clients have it.",
             unacknowledged);
  add_gauge (out, "buffered_bytes", "What came from clients, and waits for users to take it.",
             buffered);
}

static void
write_round_trips (GString *out, const VtCounters *counters)
{
  static const char name[] = "round_trip_seconds";
  guint64 n = 0;

  begin (out, name, "histogram", "Times from the server to a client and back, as measured.");
  for (size_t i = 0; i < VT_COUNTERS_N_BOUNDS; i++)
    {
      n += counters->round_trips[i];
      g_string_append_printf (out, PREFIX "%s_bucket{le=\"", name);
      append_seconds (out, vt_counters_bounds[i]);
      g_string_append_printf (out, "\"} %" G_GUINT64_FORMAT "\n", n);
    }
  n += counters->round_trips[VT_COUNTERS_N_BOUNDS];
  g_string_append_printf (out, PREFIX "%s_bucket{le=\"+Inf\"} %" G_GUINT64_FORMAT "\n", name, n);
  g_string_append_printf (out, PREFIX "%s_sum ", name);
  append_seconds (out, counters->round_trip_sum);
  g_string_append_printf (out, "\n" PREFIX "%s_count %" G_GUINT64_FORMAT "\n", name, n);
}

static void
begin_of_session (GString *out, const char *name, const VtReportSession *session)
{
  gboolean is_first = TRUE;

  g_string_append_printf (out, PREFIX "%s", name);
  append_label (out, &is_first, "session", session->id);
  append_label (out, &is_first, "user", session->user != NULL ? session->user : "");
  g_string_append (out, "} ");
}

typedef guint64 (*SessionValue) (const VtReportSession *session);

static guint64
get_streams (const VtReportSession *session)
{
  return session->n_streams;
}

static guint64
get_sent (const VtReportSession *session)
{
  return session->bytes_sent;
}

static guint64
get_received (const VtReportSession *session)
{
  return session->bytes_received;
}

static void
write_each_round_trip (GString *out, const VtReport *report)
{
  static const char name[] = "session_round_trip_seconds";

  begin (out, name, "gauge", "The last one that was measured with this client.");
  for (unsigned int i = 0; i < report->sessions->len; i++)
    {
      const VtReportSession *session = &g_array_index (report->sessions, VtReportSession, i);

      if (session->rtt < 0)
        continue;
      begin_of_session (out, name, session);
      append_seconds (out, session->rtt);
      g_string_append_c (out, '\n');
    }
}

static void
write_each_session (GString *out, const VtReport *report)
{
  static const struct {
    const char *name;
    const char *type;
    const char *help;
    SessionValue get;
  } families[] = {
    { "session_streams", "gauge", "Open connections through this client.", get_streams },
    { "session_sent_bytes_total", "counter", "Payload from users to this client.", get_sent },
    { "session_received_bytes_total", "counter", "Payload from this client to users.",
      get_received },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (families); i++)
    {
      begin (out, families[i].name, families[i].type, families[i].help);
      for (unsigned int j = 0; j < report->sessions->len; j++)
        {
          const VtReportSession *session = &g_array_index (report->sessions, VtReportSession, j);

          begin_of_session (out, families[i].name, session);
          g_string_append_printf (out, "%" G_GUINT64_FORMAT "\n", families[i].get (session));
        }
    }
  write_each_round_trip (out, report);
}

char *
vt_metrics_write (const VtReport *report, gboolean by_session)
{
  GString *out = g_string_sized_new (8192);

  write_build (out, report);
  write_requests (out, report);
  write_pauses (out, report);
  write_sessions (out, report);
  write_forwards (out, report);
  write_streams (out, report);
  write_bytes (out, report);
  write_round_trips (out, report->counters);
  if (by_session)
    write_each_session (out, report);
  return g_string_free (out, FALSE);
}
