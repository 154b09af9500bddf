/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-status-page-private.h"

#include <vtunnel/vt-version.h>

/* A page that a browser can show. Those who have more clients than that have /metrics. */
#define MAX_SESSIONS 500

/* How often a browser asks again, in seconds. */
#define REFRESH "10"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"refresh\" content=\"" REFRESH "\">\n"
    "<title>vtunnel</title>\n<style>\n"
    ":root { color-scheme: light dark; --fg: #1c1f23; --dim: #5a6472; --bg: #f5f6f8;\n"
    "  --card: #fff; --line: #dfe3e8; --good: #14743b; --warn: #a04d00; }\n"
    "@media (prefers-color-scheme: dark) { :root { --fg: #e6e9ee; --dim: #a0a9b6;\n"
    "  --bg: #15181c; --card: #1e2227; --line: #343a42; --good: #62cf8e; --warn: #f2a65a; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; padding: 1rem; max-width: 70rem; color: var(--fg);\n"
    "  background: var(--bg); font: 1rem/1.45 system-ui, sans-serif; }\n"
    "h1 { font-size: 1.3rem; margin: 0 0 .2rem; }\n"
    "h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }\n"
    "p { margin: 0; } .dim { color: var(--dim); font-size: .9rem; }\n"
    ".sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr));\n"
    "  gap: .6rem; margin: 1rem 0; padding: 0; }\n"
    ".sums div, article { background: var(--card); border: 1px solid var(--line);\n"
    "  border-radius: .5rem; padding: .6rem .8rem; }\n"
    "dt { color: var(--dim); font-size: .85rem; }\n"
    "dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }\n"
    "article { margin: 0 0 .8rem; }\n"
    ".top { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; }\n"
    ".good { color: var(--good); } .warn { color: var(--warn); }\n"
    "table { width: 100%; border-collapse: collapse; margin-top: .5rem;\n"
    "  font-variant-numeric: tabular-nums; }\n"
    "th, td { text-align: right; padding: .25rem 0 .25rem .6rem;\n"
    "  border-top: 1px solid var(--line); font-weight: normal; white-space: nowrap; }\n"
    "th { color: var(--dim); font-size: .85rem; }\n"
    "td span { display: inline-block; } td:last-child { white-space: normal; }\n"
    "@media (max-width: 30rem) { table { font-size: .9rem; } }\n"
    "th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;\n"
    "  overflow-wrap: anywhere; }\n"
    "</style>\n</head>\n<body>\n";

static void
append_text (GString *out, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *escaped = g_markup_escape_text (valid, -1);

  g_string_append (out, escaped);
}

/* Three digits, in units of 1000: "999 B", "1.2 kB", "12 MB". */
static void
append_bytes (GString *out, double bytes)
{
  static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
  size_t unit = 0;

  for (; bytes >= 999.5 && unit < G_N_ELEMENTS (units) - 1; unit++)
    bytes /= 1000;
  g_string_append_printf (out, unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes,
                          units[unit]);
}

/* Each of the two stays on one line. */
static void
append_both (GString *out, double sent, double received, const char *behind)
{
  g_string_append (out, "<span>↑ ");
  append_bytes (out, received);
  g_string_append_printf (out, "%s</span> <span>↓ ", behind);
  append_bytes (out, sent);
  g_string_append_printf (out, "%s</span>", behind);
}

static void
append_age (GString *out, gint64 microseconds)
{
  gint64 seconds = MAX (microseconds, 0) / G_USEC_PER_SEC;

  if (seconds < 120)
    g_string_append_printf (out, "%d s", (int) seconds);
  else if (seconds < 120 * 60)
    g_string_append_printf (out, "%d min", (int) (seconds / 60));
  else if (seconds < 48 * 3600)
    g_string_append_printf (out, "%d h", (int) (seconds / 3600));
  else
    g_string_append_printf (out, "%" G_GINT64_FORMAT " d", seconds / 86400);
}

static void
append_time (GString *out, gint64 real_time)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc (real_time / G_USEC_PER_SEC);
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M UTC") : NULL;

  g_string_append (out, text != NULL ? text : "?");
}

static void
append_rtt (GString *out, gint64 rtt)
{
  if (rtt < 0)
    g_string_append (out, "not measured yet");
  else if (rtt < 10000)
    g_string_append_printf (out, "%.1f ms", rtt / 1000.0);
  else
    g_string_append_printf (out, "%.0f ms", rtt / 1000.0);
}

static void
write_sum (GString *out, const char *name, guint64 value)
{
  g_string_append_printf (out, "<div><dt>%s</dt><dd>%" G_GUINT64_FORMAT "</dd></div>\n", name,
                          value);
}

static void
write_sums (GString *out, const VtReport *report)
{
  guint64 sent = report->counters->bytes_sent;
  guint64 received = report->counters->bytes_received;
  guint64 n_forwards = 0;
  guint64 n_streams = 0;

  for (unsigned int i = 0; i < report->sessions->len; i++)
    {
      const VtReportSession *session = &g_array_index (report->sessions, VtReportSession, i);

      n_forwards += session->forwards->len;
      n_streams += session->n_streams;
      sent += session->open_bytes_sent;
      received += session->open_bytes_received;
    }
  g_string_append (out, "<dl class=\"sums\">\n");
  write_sum (out, "Clients", report->sessions->len);
  write_sum (out, "Forwards", n_forwards);
  write_sum (out, "Connections", n_streams);
  g_string_append (out, "<div><dt>To clients</dt><dd>");
  append_bytes (out, sent);
  g_string_append (out, "</dd></div>\n<div><dt>From clients</dt><dd>");
  append_bytes (out, received);
  g_string_append (out, "</dd></div>\n</dl>\n");
}

static void
write_top (GString *out, const VtReport *report)
{
  g_string_append (out, head);
  g_string_append (out, "<h1>vtunnel server</h1>\n<p class=\"dim\">Version " VT_VERSION_STRING
                        ", running for ");
  append_age (out, report->now - report->started_at);
  g_string_append (out, "; as of ");
  append_time (out, report->now);
  g_string_append (out,
                   report->is_running ? "</p>\n" : "</p>\n<p class=\"warn\">Shutting down</p>\n");
}

static void
write_forward (GString *out, const VtReportForward *forward)
{
  g_string_append (out, "<tr><td>");
  append_text (out, forward->name);
  if (forward->url != NULL)
    {
      g_string_append (out, "<div class=\"dim\">");
      append_text (out, forward->url);
      g_string_append (out, "</div>");
    }
  g_string_append (out, "</td><td>");
  append_text (out, forward->state);
  g_string_append_printf (out, "</td><td>%u</td><td>", forward->n_streams);
  append_both (out, forward->bytes_sent, forward->bytes_received, "");
  g_string_append (out, "</td></tr>\n");
}

static void
write_session_name (GString *out, const VtReportSession *session)
{
  g_autofree char *short_id = g_strdup_printf ("%.8s", session->id);

  g_string_append (out, "<article>\n<div class=\"top\"><h2>");
  append_text (out, session->user != NULL ? session->user : short_id);
  g_string_append (out, session->connected
                            ? "</h2> <span class=\"good\">● connected</span>"
                            : "</h2> <span class=\"warn\">○ lost, may come back</span>");
  g_string_append (out, " <span class=\"dim\">from ");
  append_text (out, session->address != NULL ? session->address : "an unknown address");
  g_string_append (out, "</span></div>\n");
}

static void
write_session_facts (GString *out, const VtReportSession *session, gint64 now)
{
  g_string_append (out, "<p class=\"dim\">Since ");
  append_time (out, session->opened_at);
  g_string_append (out, " (");
  append_age (out, now - session->opened_at);
  g_string_append_printf (out, "), protocol %u, round trip ", session->protocol);
  append_rtt (out, session->rtt);
  if (session->n_resumed > 0)
    g_string_append_printf (out, ", came back %u times", session->n_resumed);
  g_string_append (out, "</p>\n<p>");
  g_string_append_printf (out, "%u connections, ", session->n_streams);
  append_both (out, session->bytes_sent, session->bytes_received, "");
  if (session->rate_sent >= 0)
    {
      g_string_append (out, ", now ");
      append_both (out, session->rate_sent, session->rate_received, "/s");
    }
  g_string_append (out, "</p>\n");
}

static void
write_session (GString *out, const VtReportSession *session, gint64 now)
{
  write_session_name (out, session);
  write_session_facts (out, session, now);
  if (session->forwards->len > 0)
    g_string_append (out, "<table>\n<tr><th>Forward</th><th>State</th><th>Open</th>"
                          "<th>Bytes</th></tr>\n");
  for (unsigned int i = 0; i < session->forwards->len; i++)
    write_forward (out, &g_array_index (session->forwards, VtReportForward, i));
  g_string_append (out, session->forwards->len > 0 ? "</table>\n</article>\n" : "</article>\n");
}

char *
vt_status_page_write (const VtReport *report)
{
  GString *out = g_string_sized_new (16384);
  unsigned int n_shown = MIN (report->sessions->len, MAX_SESSIONS);

  write_top (out, report);
  write_sums (out, report);
  for (unsigned int i = 0; i < n_shown; i++)
    write_session (out, &g_array_index (report->sessions, VtReportSession, i), report->now);
  if (report->sessions->len == 0)
    g_string_append (out, "<p class=\"dim\">There is no client.</p>\n");
  else if (n_shown < report->sessions->len)
    g_string_append_printf (out, "<p class=\"dim\">And %u more clients.</p>\n",
                            report->sessions->len - n_shown);
  g_string_append (out, "<p class=\"dim\">↑ from clients to users, ↓ from users to clients. "
                        "Asked again every " REFRESH " seconds.</p>\n</body>\n</html>\n");
  return g_string_free (out, FALSE);
}
