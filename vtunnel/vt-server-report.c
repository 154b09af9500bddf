/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include "vt-session.h"

#include "vt-metrics-private.h"
#include "vt-report-private.h"
#include "vt-status-page-private.h"

gboolean
vt_server_is_ready (VtServer *self)
{
  GHashTableIter iter;
  void *key;

  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (vt_session_get_connected (vt_server_session_get_session (key)))
      return TRUE;
  return FALSE;
}

static int
compare_sessions (const void *one, const void *other)
{
  const VtReportSession *a = one;
  const VtReportSession *b = other;

  if (a->opened_at != b->opened_at)
    return a->opened_at < b->opened_at ? -1 : 1;
  return g_strcmp0 (a->id, b->id);
}

static VtReport *
make_report (VtServer *self)
{
  VtReport *report = vt_report_new ();
  GHashTableIter iter;
  void *key;

  report->now = g_get_real_time ();
  report->started_at = self->started_at;
  report->counters = vt_counters_ref (self->counters);
  for (size_t i = 0; i < VT_LISTENER_N_PAUSES; i++)
    report->accept_pauses[i] = vt_listener_get_n_pauses (i);
  report->n_arrivals = g_hash_table_size (self->arrivals);
  report->is_running = self->phase == VT_SERVER_RUNNING;
  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    vt_server_session_report (key, vt_report_add_session (report));
  g_array_sort (report->sessions, compare_sessions);
  return report;
}

char *
vt_server_write_page (VtServer *self, VtFrontPage page)
{
  g_autoptr(VtReport) report = make_report (self);

  if (page == VT_FRONT_PAGE_STATUS)
    return vt_status_page_write (report);
  return vt_metrics_write (report, page == VT_FRONT_PAGE_SESSION_METRICS);
}

/**
 * vt_server_dup_metrics:
 * @self: a server
 *
 * Writes down what has happened on the server and what it has now, as `/metrics` shows it: in the
 * text format of Prometheus, version 0.0.4. What the figures are is in the documentation of
 * `vtunnel-tool`. It takes a moment for each open stream.
 *
 * Returns: (transfer full): the text
 *
 * Since: 1.0
 */
char *
vt_server_dup_metrics (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return vt_server_write_page (self, VT_FRONT_PAGE_METRICS);
}

/**
 * vt_server_listen_status:
 * @self: a server
 * @address: (nullable): a literal address, `localhost` (both loopback addresses, 127.0.0.1 and ::1)
 *   or `*` (all addresses); %NULL is `localhost`
 * @port: a TCP port, or 0 for any that is free
 * @error: return location for an error
 *
 * Opens a port for whoever runs the server, on which no client can connect: `/metrics`, `/status`,
 * `/ready` and `/health`. A server can have several.
 *
 * On a loopback address nobody is asked for a token, and there is no TLS; but whoever asks has to
 * be on this machine, and to address it as `localhost`, with no proxy between. On any other
 * address the same holds as for [method@Vt.Server.listen], with [property@Vt.Server:access].
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_ADDRESS_IN_USE, %VT_ERROR_PERMISSION_DENIED (by the
 *   system, or beyond loopback without [property@Vt.Server:access]), %VT_ERROR_INVALID_ARGUMENT (no
 *   address of this machine), %VT_ERROR_LIMIT (no descriptors are left), %VT_ERROR_SHUTTING_DOWN
 *   (the server closes or drains) or %VT_ERROR_FAILED
 *
 * Since: 1.0
 */
gboolean
vt_server_listen_status (VtServer *self, const char *address, guint16 port, GError **error)
{
  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (self->front != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!vt_server_check_running (self, error))
    return FALSE;
  return vt_front_listen_status (self->front, address != NULL ? address : "localhost", port, error);
}

/**
 * vt_server_get_status_ports:
 * @self: a server
 * @n_ports: (out) (optional): return location for the number of ports
 *
 * Gets the ports that [method@Vt.Server.listen_status] has opened, in their order: what became of
 * port 0.
 *
 * Returns: (transfer full) (array length=n_ports) (nullable): the ports, or %NULL if there are none
 *
 * Since: 1.0
 */
guint16 *
vt_server_get_status_ports (VtServer *self, size_t *n_ports)
{
  GArray *ports;

  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  ports = self->front != NULL ? vt_front_get_status_ports (self->front) : NULL;
  if (n_ports != NULL)
    *n_ports = ports != NULL ? ports->len : 0;
  return ports != NULL ? g_memdup2 (ports->data, ports->len * sizeof (guint16)) : NULL;
}
