/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "tunnel.h"

#include "loopback.h"

#define PORT 9000

typedef struct {
  GSource source;
  Tunnel *tunnel; /* not owned */
} Carrier;

typedef struct {
  GBytes *bytes; /* owned */
  gboolean text;
} Message;

static void
message_free (void *data)
{
  Message *self = data;

  g_bytes_unref (self->bytes);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Message, message_free)

static TunnelSide *
other_side (TunnelSide *self)
{
  return self == &self->tunnel->client ? &self->tunnel->server : &self->tunnel->client;
}

static gboolean
can_carry (TunnelSide *self)
{
  return !self->tunnel->held && !g_queue_is_empty (&self->sent) && other_side (self)->reading;
}

static gboolean
carrier_prepare (GSource *source, int *timeout)
{
  Tunnel *tunnel = ((Carrier *) source)->tunnel;

  *timeout = -1;
  return can_carry (&tunnel->client) || can_carry (&tunnel->server);
}

static void
carry (TunnelSide *self)
{
  for (unsigned int i = 0; i < 64 && can_carry (self); i++)
    {
      g_autoptr(Message) message = g_queue_pop_head (&self->sent);

      self->queued -= g_bytes_get_size (message->bytes);
      vt_mux_receive (other_side (self)->mux, message->text, message->bytes);
      vt_mux_note_writable (self->mux);
    }
}

static gboolean
carrier_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  Tunnel *tunnel = ((Carrier *) source)->tunnel;

  carry (&tunnel->client);
  carry (&tunnel->server);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs carrier_funcs = {
  .prepare = carrier_prepare,
  .dispatch = carrier_dispatch,
};

static void
send_cb (GBytes *message, gboolean text, gboolean counted, void *user_data)
{
  TunnelSide *self = user_data;
  Message *copy = g_new0 (Message, 1);

  copy->bytes = g_bytes_ref (message);
  copy->text = text;
  g_queue_push_tail (&self->sent, copy);
  self->queued += g_bytes_get_size (message);
}

static size_t
get_queued_cb (void *user_data)
{
  return ((TunnelSide *) user_data)->queued;
}

static void
set_reading_cb (gboolean reading, void *user_data)
{
  ((TunnelSide *) user_data)->reading = reading;
}

static void
listen_ok_cb (guint32 id,
              const char *address,
              guint16 port,
              const char *url,
              gboolean confirmed,
              void *user_data)
{
}

static void
listen_failed_cb (guint32 id, const GError *error, unsigned int retry_after, void *user_data)
{
  g_error ("No port: %s", error->message);
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  Tunnel *tunnel = ((TunnelSide *) user_data)->tunnel;

  tunnel->stream_opened (stream, tunnel->user_data);
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  TunnelSide *self = user_data;

  self->tunnel->listen_id = id;
  vt_mux_listen_accept (self->mux, id, "127.0.0.1", PORT);
}

static void
unlistened_cb (guint32 id, void *user_data)
{
}

static void
failed_cb (const GError *error, void *user_data)
{
  g_error ("A session failed: %s", error->message);
}

static void
silent_cb (void *user_data)
{
  g_error ("A session is silent");
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
}

static const VtMuxHandlers handlers = {
  .send = send_cb,
  .get_queued = get_queued_cb,
  .set_reading = set_reading_cb,
  .listen_ok = listen_ok_cb,
  .listen_failed = listen_failed_cb,
  .stream_opened = stream_opened_cb,
  .listen_requested = listen_requested_cb,
  .unlistened = unlistened_cb,
  .failed = failed_cb,
  .silent = silent_cb,
  .rtt_measured = rtt_measured_cb,
};

static void
side_init (TunnelSide *self, Tunnel *tunnel, VtMuxRole role, unsigned int protocol)
{
  VtMuxConfig config;
  VtControlLimits limits;

  vt_mux_config_init (&config, role);
  config.protocol = protocol;
  self->tunnel = tunnel;
  self->reading = TRUE;
  g_queue_init (&self->sent);
  self->mux = vt_mux_new (&config, tunnel->clock, &handlers, self);
  if (protocol == 1)
    return;
  vt_mux_config_get_limits (&config, &limits);
  vt_mux_set_peer_limits (self->mux, &limits);
}

Tunnel *
tunnel_new (VtClock *clock, unsigned int protocol)
{
  Tunnel *self = g_new0 (Tunnel, 1);

  self->clock = clock != NULL ? vt_clock_ref (clock) : vt_clock_get (NULL);
  side_init (&self->client, self, VT_MUX_CLIENT, protocol);
  side_init (&self->server, self, VT_MUX_SERVER, protocol);
  self->carrier = g_source_new (&carrier_funcs, sizeof (Carrier));
  ((Carrier *) self->carrier)->tunnel = self;
  g_source_attach (self->carrier, g_main_context_get_thread_default ());

  vt_mux_listen (self->client.mux, 1, &(VtMuxListen){ .port = PORT });
  RUN_UNTIL (self->listen_id != 0);
  return self;
}

void
tunnel_break (Tunnel *self, const GError *error)
{
  if (self->carrier == NULL)
    return;
  g_source_destroy (self->carrier);
  g_clear_pointer (&self->carrier, g_source_unref);
  vt_mux_free (self->client.mux, error);
  vt_mux_free (self->server.mux, error);
}

void
tunnel_free (Tunnel *self)
{
  tunnel_break (self, NULL);
  g_queue_clear_full (&self->client.sent, message_free);
  g_queue_clear_full (&self->server.sent, message_free);
  g_clear_object (&self->user);
  g_clear_object (&self->local);
  vt_clock_unref (self->clock);
  g_free (self);
}

VtMuxStream *
tunnel_open_stream (Tunnel *self)
{
  g_autoptr(GError) error = NULL;
  VtMuxStream *stream =
      vt_mux_open_stream (self->server.mux, self->listen_id, self->user, self->local, &error);

  g_assert_no_error (error);
  return stream;
}
