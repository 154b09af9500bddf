/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-tunnel-private.h"

#include "vts-error.h"

/* Asking for one forward; the tunnel may go before it is answered. */
typedef struct {
  GWeakRef tunnel;    /* of VtsTunnel */
  VtForward *forward; /* owned */
} Request;

static Request *
request_new (VtsTunnel *tunnel, VtForward *forward)
{
  Request *self = g_new0 (Request, 1);

  g_weak_ref_init (&self->tunnel, tunnel);
  self->forward = g_object_ref (forward);
  return self;
}

static void
request_free (Request *self)
{
  g_weak_ref_clear (&self->tunnel);
  g_object_unref (self->forward);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Request, request_free)

/* Why the first of those that the server has refused was; NULL if it refused none. */
static const GError *
get_refusal (VtsTunnel *self, unsigned int *n_refused)
{
  const GError *first = NULL;

  *n_refused = 0;
  for (unsigned int i = 0; i < self->forwards->len; i++)
    {
      if (vt_forward_get_state (self->forwards->pdata[i]) != VT_FORWARD_STATE_FAILED)
        continue;
      if ((*n_refused)++ == 0)
        first = vt_forward_get_error (self->forwards->pdata[i]);
    }
  return first;
}

/* A tunnel in which nothing is forwarded is none; one in which something is goes on, and says what
 * is missing. */
static void
look_at_refusals (VtsTunnel *self)
{
  unsigned int n_refused = 0;
  const GError *refusal = get_refusal (self, &n_refused);

  if (self->phase != VTS_PHASE_OPEN || vt_client_get_state (self->client) != VT_CLIENT_STATE_OPEN)
    return;
  if (n_refused == 0 || n_refused < self->forwards->len)
    {
      vts_tunnel_set_state (self, VTS_STATE_CONNECTED, refusal);
      return;
    }
  self->refused = vts_error_from (refusal);
  vts_tunnel_stop_client (self);
}

static void
listened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(Request) request = user_data;
  g_autoptr(VtsTunnel) self = g_weak_ref_get (&request->tunnel);
  g_autoptr(GError) error = NULL;

  if (!vt_client_listen_finish (VT_CLIENT (source), result, &error) && self != NULL
      && self->client == VT_CLIENT (source))
    look_at_refusals (self);
}

static void
listen (VtsTunnel *self, VtForward *forward)
{
  vt_client_listen_async (self->client, forward, NULL, listened_cb, request_new (self, forward));
}

static VtForward *
find_forward (VtsTunnel *self, const VtsForward *wanted)
{
  for (unsigned int i = 0; i < self->forwards->len; i++)
    if (vts_forward_equal (self->settings->forwards->pdata[i], wanted))
      return self->forwards->pdata[i];
  return NULL;
}

/* First take back, then ask: a port may go from one forward to another. */
static void
exchange_forwards (VtsTunnel *self, GPtrArray *before)
{
  for (unsigned int i = 0; i < before->len; i++)
    if (!g_ptr_array_find (self->forwards, before->pdata[i], NULL)
        && vt_forward_get_state (before->pdata[i]) != VT_FORWARD_STATE_FAILED)
      vt_client_unlisten_async (self->client, before->pdata[i], NULL, NULL, NULL);
  for (unsigned int i = 0; i < self->forwards->len; i++)
    if (!g_ptr_array_find (before, self->forwards->pdata[i], NULL))
      listen (self, self->forwards->pdata[i]);
}

/* Those that stay the same stay what they are, with their counts. */
void
vts_tunnel_make_forwards (VtsTunnel *self, const VtsSettings *settings)
{
  g_autoptr(GPtrArray) before = g_steal_pointer (&self->forwards);
  g_autoptr(GPtrArray) after = g_ptr_array_new_with_free_func (g_object_unref);

  self->forwards = before;
  for (unsigned int i = 0; i < settings->forwards->len; i++)
    {
      VtForward *same = find_forward (self, settings->forwards->pdata[i]);

      /* Ports that the server chooses can be asked for more than once. */
      if (same != NULL && !g_ptr_array_find (after, same, NULL))
        g_ptr_array_add (after, g_object_ref (same));
      else
        g_ptr_array_add (after, vts_forward_make (settings->forwards->pdata[i]));
    }
  self->forwards = g_steal_pointer (&after);
  if (self->phase == VTS_PHASE_OPEN)
    exchange_forwards (self, before);
}

static void
client_changed_cb (VtsTunnel *self)
{
  unsigned int n_refused = 0;

  if (self->phase != VTS_PHASE_OPEN)
    return;
  switch (vt_client_get_state (self->client))
    {
    case VT_CLIENT_STATE_CLOSED:
      vts_tunnel_client_ended (self, vt_client_get_error (self->client));
      break;
    case VT_CLIENT_STATE_CONNECTING:
      vts_tunnel_set_state (self, VTS_STATE_CONNECTING, NULL);
      break;
    case VT_CLIENT_STATE_OPEN:
      vts_tunnel_set_state (self, VTS_STATE_CONNECTED, get_refusal (self, &n_refused));
      break;
    case VT_CLIENT_STATE_RECONNECTING:
      vts_tunnel_set_state (self,
                            vt_client_get_next_retry (self->client) != 0 ? VTS_STATE_WAITING
                                                                         : VTS_STATE_CONNECTING,
                            vt_client_get_error (self->client));
      break;
    case VT_CLIENT_STATE_CLOSING:
      break;
    }
}

static void
stream_opened_cb (VtsTunnel *self, VtStream *stream)
{
  self->totals.streams_opened++;
  vts_tunnel_emit_streams_changed (self);
}

static void
stream_closed_cb (VtsTunnel *self, VtStream *stream, const GError *error)
{
  self->totals.bytes_sent += vt_stream_get_bytes_sent (stream);
  self->totals.bytes_received += vt_stream_get_bytes_received (stream);
  vts_tunnel_emit_streams_changed (self);
}

static void
add_open_streams (VtsTunnel *self, VtsTotals *totals)
{
  GListModel *streams = vt_client_get_streams (self->client);
  unsigned int n = g_list_model_get_n_items (streams);

  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtStream) stream = g_list_model_get_item (streams, i);

      totals->bytes_sent += vt_stream_get_bytes_sent (stream);
      totals->bytes_received += vt_stream_get_bytes_received (stream);
    }
}

void
vts_tunnel_drop_client (VtsTunnel *self)
{
  if (self->client == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->client, self);
  add_open_streams (self, &self->totals);
  g_clear_object (&self->client);
}

/* What becomes of it shows in the client's state. */
static void
opened_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GError) error = NULL;

  vt_client_open_finish (VT_CLIENT (source), result, &error);
}

void
vts_tunnel_start_client (VtsTunnel *self, const char *token)
{
  g_autoptr(VtsTunnel) alive = g_object_ref (self);
  VtClient *client = vt_client_new (self->settings->uri);

  /* Streams of the one before may still have had something to write. */
  vts_tunnel_drop_client (self);
  self->client = client;
  self->phase = VTS_PHASE_OPEN;
  vt_client_set_token (client, token);
  vt_client_set_retry_first (client, TRUE);
  g_signal_connect_swapped (client, "notify::state", G_CALLBACK (client_changed_cb), self);
  g_signal_connect_swapped (client, "notify::error", G_CALLBACK (client_changed_cb), self);
  g_signal_connect_swapped (client, "notify::next-retry", G_CALLBACK (client_changed_cb), self);
  g_signal_connect_swapped (client, "stream-opened", G_CALLBACK (stream_opened_cb), self);
  g_signal_connect_swapped (client, "stream-closed", G_CALLBACK (stream_closed_cb), self);
  for (unsigned int i = 0; i < self->forwards->len; i++)
    listen (self, self->forwards->pdata[i]);
  vt_client_open_async (client, NULL, opened_cb, NULL);
}

static void
closed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(VtsTunnel) self = user_data;

  vt_client_close_finish (VT_CLIENT (source), result, NULL);
  if (self->phase == VTS_PHASE_CLOSING && self->client == VT_CLIENT (source))
    vts_tunnel_client_ended (self, NULL);
}

void
vts_tunnel_stop_client (VtsTunnel *self)
{
  self->phase = VTS_PHASE_CLOSING;
  vt_client_close_async (self->client, NULL, closed_cb, g_object_ref (self));
}

unsigned int
vts_tunnel_get_n_streams (VtsTunnel *self)
{
  return self->client != NULL ? g_list_model_get_n_items (vt_client_get_streams (self->client)) : 0;
}

void
vts_tunnel_get_totals (VtsTunnel *self, VtsTotals *totals)
{
  *totals = self->totals;
  if (self->client != NULL)
    add_open_streams (self, totals);
}
