/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-server-session-struct-private.h"

#include <string.h>

#include "vt-forward.h"
#include "vt-text-private.h"

/* A rate over less would be one of single packets. */
#define SHORTEST_LOOK G_TIME_SPAN_SECOND

void
vt_server_session_note_over (VtServerSession *self, VtStream *stream, const GError *error)
{
  vt_counters_note_stream_over (self->counters, stream, error);
  self->over_sent += vt_stream_get_bytes_sent (stream);
  self->over_received += vt_stream_get_bytes_received (stream);
}

static char *
format_address (GSocketAddress *address)
{
  GInetSocketAddress *inet;
  g_autofree char *host = NULL;
  gboolean is_ipv6;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return NULL;
  inet = G_INET_SOCKET_ADDRESS (address);
  host = g_inet_address_to_string (g_inet_socket_address_get_address (inet));
  is_ipv6 = g_inet_socket_address_get_address (inet) != NULL
            && g_socket_address_get_family (address) == G_SOCKET_FAMILY_IPV6;
  /* A proxy often does not say the port. */
  if (g_inet_socket_address_get_port (inet) == 0)
    return g_steal_pointer (&host);
  return g_strdup_printf (is_ipv6 ? "[%s]:%u" : "%s:%u", host,
                          g_inet_socket_address_get_port (inet));
}

/* Without a port it has host names, or a name, or not even that, which the client has chosen. */
static char *
name_forward (VtForward *forward)
{
  const char *const *host_names = vt_forward_get_host_names (forward);
  const char *address = vt_forward_get_listen_address (forward);
  const char *name = vt_forward_get_name (forward);
  guint16 port = vt_forward_get_bound_port (forward);

  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP && host_names != NULL)
    return g_strjoinv (", ", (char **) host_names);
  if (port == 0)
    return vt_text_escape (name != NULL ? name : "(no port)", -1);
  if (address == NULL)
    return g_strdup_printf ("%u", port);
  return g_strdup_printf (strchr (address, ':') != NULL ? "[%s]:%u" : "%s:%u", address, port);
}

static const char *
get_state (VtForward *forward)
{
  switch (vt_forward_get_state (forward))
    {
    case VT_FORWARD_STATE_LISTENING:
      return "listening";
    case VT_FORWARD_STATE_PENDING:
      return "pending";
    case VT_FORWARD_STATE_FAILED:
      return "failed";
    case VT_FORWARD_STATE_IDLE:
    default:
      return "idle";
    }
}

static void
report_forwards (VtServerSession *self, VtReportSession *report)
{
  GListModel *forwards = vt_session_get_forwards (self->session);
  unsigned int n = g_list_model_get_n_items (forwards);

  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtForward) forward = g_list_model_get_item (forwards, i);
      VtReportForward *one = vt_report_session_add_forward (report);

      one->name = name_forward (forward);
      one->url = g_strdup (vt_forward_get_url (forward));
      one->state = get_state (forward);
      one->n_streams = vt_forward_get_n_streams (forward);
      one->bytes_sent = vt_forward_get_bytes_sent (forward);
      one->bytes_received = vt_forward_get_bytes_received (forward);
    }
}

static void
report_streams (VtServerSession *self, VtReportSession *report)
{
  GListModel *streams = vt_session_get_streams (self->session);

  report->n_streams = g_list_model_get_n_items (streams);
  for (unsigned int i = 0; i < report->n_streams; i++)
    {
      g_autoptr(VtStream) stream = g_list_model_get_item (streams, i);

      report->open_bytes_sent += vt_stream_get_bytes_sent (stream);
      report->open_bytes_received += vt_stream_get_bytes_received (stream);
    }
  report->bytes_sent = self->over_sent + report->open_bytes_sent;
  report->bytes_received = self->over_received + report->open_bytes_received;
}

static void
report_rates (VtServerSession *self, VtReportSession *report)
{
  VtServerSessionLook *look = &self->look;
  gint64 now = g_get_monotonic_time ();
  double seconds = (double) (now - look->at) / G_TIME_SPAN_SECOND;

  if (look->at == 0)
    look->rate_sent = look->rate_received = VT_REPORT_NO_RATE;
  else if (now - look->at >= SHORTEST_LOOK)
    {
      look->rate_sent = (double) (report->bytes_sent - look->sent) / seconds;
      look->rate_received = (double) (report->bytes_received - look->received) / seconds;
    }
  if (look->at == 0 || now - look->at >= SHORTEST_LOOK)
    {
      look->at = now;
      look->sent = report->bytes_sent;
      look->received = report->bytes_received;
    }
  report->rate_sent = look->rate_sent;
  report->rate_received = look->rate_received;
}

static void
report_load (VtServerSession *self, VtReportSession *report)
{
  VtTrunkLoad load = { 0 };

  if (self->trunk != NULL)
    vt_trunk_get_load (self->trunk, &load);
  report->queued = load.queued;
  report->unacknowledged = load.unacknowledged;
  report->buffered = load.buffered;
}

void
vt_server_session_report (VtServerSession *self, VtReportSession *report)
{
  VtSession *session = self->session;

  report->id = g_strdup (vt_session_get_id (session));
  report->user = g_strdup (vt_session_get_user (session));
  report->address = format_address (vt_session_get_client_address (session));
  report->opened_at = self->opened_at;
  report->protocol = vt_session_get_protocol (session);
  report->n_resumed = vt_session_get_n_resumed (session);
  report->connected = vt_session_get_connected (session);
  report->rtt = vt_session_get_rtt (session);
  report_forwards (self, report);
  report_streams (self, report);
  report_rates (self, report);
  report_load (self, report);
}
