/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-tunnel-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-error.h"
#include "vt-forward-private.h"
#include "vt-relay-private.h"
#include "vt-text-private.h"

/* What may wait for its target at a time: enough for as many users as a server of ours lets wait
 * for their answer, and no more descriptors than that for targets that are silent. */
#define MAX_DIALS 1024

/* Reference-counted, because an application may let go of its client in any handler. */
struct _VtClientTunnel {
  VtClientTunnelHandlers handlers;
  void *user_data;
  VtTrunk *trunk;       /* owned, NULL once it is closed */
  GTlsDatabase *trust;  /* owned, nullable */
  GHashTable *forwards; /* owned, from listen id to owned VtForward */
  GHashTable *ids;      /* owned, from VtForward (not owned) to its listen id */
  GHashTable *relays;   /* owned, from owned VtRelay to its owned VtStream */
  VtDialQuota quota;
  GHashTable *streams;       /* owned, set of VtStream, each of which unsets itself */
  VtTimer *later;            /* owned: ends it in a dispatch of its own */
  GError *later_error;       /* owned, what it ends with */
  VtCredentials credentials; /* of the session; NULLs in v1 */
  guint64 n_attempts;        /* to resume it */
  unsigned int protocol;
  guint32 last_id;
  gboolean freed;
};

static void
clear (void *data)
{
  VtClientTunnel *self = data;

  g_clear_object (&self->trust);
  g_hash_table_unref (self->forwards);
  g_hash_table_unref (self->ids);
  g_hash_table_unref (self->relays);
  g_hash_table_unref (self->streams);
  vt_timer_free (self->later);
  g_clear_error (&self->later_error);
  vt_credentials_clear (&self->credentials);
}

static void
release (VtClientTunnel *self)
{
  g_rc_box_release_full (self, clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtClientTunnel, release)

static void
report_if_gone (VtClientTunnel *self)
{
  if (!self->freed && self->trunk == NULL && g_hash_table_size (self->streams) == 0
      && g_hash_table_size (self->relays) == 0)
    self->handlers.gone (self, self->user_data);
}

static void
stream_finished_cb (VtStream *stream, const GError *error, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  g_hash_table_remove (self->streams, stream);
  vt_forward_remove_stream (vt_stream_get_forward (stream), stream);
  if (!self->freed)
    self->handlers.stream_closed (stream, error, self->user_data);
  report_if_gone (self);
}

static void
relay_finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);
  g_autoptr(VtStream) stream = NULL;

  g_hash_table_steal_extended (self->relays, relay, NULL, (void **) &stream);
  vt_relay_free (relay, error);
  report_if_gone (self);
}

/* A stream of a forward without a target is the application's, which may not want it. */
static void
offer_stream (VtForward *forward, VtStream *stream, VtMuxStream *mux_stream)
{
  g_autoptr(GError) error = NULL;

  if (vt_forward_offer (forward, stream))
    {
      vt_mux_stream_accept (mux_stream);
      return;
    }
  error = g_error_new_literal (VT_ERROR, VT_ERROR_TARGET_REFUSED, _ ("Nobody took the stream"));
  vt_mux_stream_reset (mux_stream, error);
  vt_stream_finish (stream, error);
}

static void
serve_stream (VtClientTunnel *self, VtForward *forward, VtMuxStream *mux_stream)
{
  g_autoptr(GSocketAddress) user = vt_mux_stream_dup_user_address (mux_stream);
  g_autoptr(VtStream) stream = vt_stream_new (mux_stream, forward, user);
  gboolean has_target = vt_forward_get_target (forward) != NULL;
  VtRelay *relay = NULL;

  vt_stream_set_finished_func (stream, stream_finished_cb, self);
  g_hash_table_add (self->streams, stream);
  vt_forward_add_stream (forward, stream);
  /* Whoever hears of it may end the client: then the stream is let go of, which resets it. */
  if (self->freed)
    return;

  if (has_target)
    {
      relay = vt_relay_new_for_target (stream, self->trust, relay_finished_cb, self);
      g_hash_table_insert (self->relays, relay, g_object_ref (stream));
    }
  self->handlers.stream_opened (stream, self->user_data);
  if (self->freed)
    return;
  /* Only now: it may have an end at once, and somebody has to have heard of its beginning. */
  if (g_hash_table_contains (self->relays, relay))
    vt_relay_dial (relay, &self->quota);
  else if (!has_target)
    offer_stream (forward, stream, mux_stream);
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);
  g_autoptr(VtMuxStream) held = vt_mux_stream_ref (stream);
  g_autoptr(VtForward) forward = NULL;
  g_autoptr(GError) error = NULL;

  forward = g_hash_table_lookup (self->forwards, GUINT_TO_POINTER (listen_id));
  if (forward != NULL)
    {
      g_object_ref (forward);
      serve_stream (self, forward, stream);
      return;
    }
  error = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("Nothing listens there any more"));
  vt_mux_stream_reset (stream, error);
}

static VtForward *
take_listen (VtClientTunnel *self, guint32 id)
{
  VtForward *forward = NULL;

  if (g_hash_table_steal_extended (self->forwards, GUINT_TO_POINTER (id), NULL, (void **) &forward))
    g_hash_table_remove (self->ids, forward);
  return forward;
}

static void
listen_ok_cb (guint32 id,
              const char *address,
              guint16 port,
              const char *url,
              gboolean confirmed,
              void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);
  g_autoptr(VtForward) forward = NULL;

  forward = g_hash_table_lookup (self->forwards, GUINT_TO_POINTER (id));
  if (forward == NULL)
    return;
  g_object_ref (forward);
  if (!confirmed)
    g_debug ("The server does not say whether port %u is open", port);
  self->handlers.listened (forward, port, url, NULL, 0, self->user_data);
}

static void
listen_failed_cb (guint32 id, const GError *error, unsigned int retry_after, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);
  g_autoptr(VtForward) forward = take_listen (self, id);

  if (forward != NULL)
    self->handlers.listened (forward, 0, NULL, error, retry_after, self->user_data);
}

static void
unlisten_done_cb (guint32 id, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  self->handlers.unlistened (id, self->user_data);
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  self->handlers.rtt_measured (rtt, self->user_data);
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  g_autofree char *escaped = vt_text_escape (reason != NULL ? reason : "", -1);

  g_debug ("The server opens no new streams any more, and ends the open ones in %u s: %s", timeout,
           escaped);
}

static void
suspended_cb (const GError *error, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  self->handlers.suspended (error, self->user_data);
}

static void
closed_cb (unsigned int code, const GError *error, void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  vt_timer_stop (self->later);
  g_clear_pointer (&self->trunk, vt_trunk_free);
  self->handlers.closed (self, code, error, self->user_data);
  report_if_gone (self);
}

static void
later_cb (void *user_data)
{
  g_autoptr(VtClientTunnel) self = g_rc_box_acquire (user_data);

  vt_trunk_abandon (self->trunk, self->later_error);
}

static VtTrunk *
new_trunk (VtClientTunnel *self, VtLink *link, const VtControl *welcome, const VtMuxConfig *mux)
{
  const VtTrunkHandlers handlers = {
    .listen_ok = listen_ok_cb,
    .listen_failed = listen_failed_cb,
    .unlisten_done = unlisten_done_cb,
    .stream_opened = stream_opened_cb,
    .rtt_measured = rtt_measured_cb,
    .going_away = going_away_cb,
    .suspended = suspended_cb,
    .closed = closed_cb,
  };
  VtTrunkConfig config = { .mux = *mux };

  config.mux.protocol = self->protocol;
  if (welcome != NULL)
    {
      config.peer = welcome->limits;
      config.resume_timeout = (gint64) welcome->resume_timeout * G_TIME_SPAN_SECOND;
    }
  return vt_trunk_new (link, &config, &handlers, self);
}

VtClientTunnel *
vt_client_tunnel_new (VtLink *link,
                      const VtControl *welcome,
                      GTlsDatabase *trust,
                      const VtMuxConfig *config,
                      const VtClientTunnelHandlers *handlers,
                      void *user_data)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtClientTunnel *self = g_rc_box_new0 (VtClientTunnel);

  self->handlers = *handlers;
  self->user_data = user_data;
  g_set_object (&self->trust, trust);
  self->forwards = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->ids = g_hash_table_new (NULL, NULL);
  self->relays = g_hash_table_new (NULL, NULL);
  self->quota.max = MAX_DIALS;
  self->streams = g_hash_table_new (NULL, NULL);
  self->later = vt_timer_new (clock, "client tunnel end", later_cb, self);
  self->protocol = welcome != NULL ? 2 : 1;
  if (welcome != NULL)
    vt_credentials_copy (&self->credentials, welcome->session, welcome->secret);
  self->trunk = new_trunk (self, link, welcome, config);
  return self;
}

static void
abandon_streams (VtClientTunnel *self)
{
  GHashTableIter iter;
  VtStream *stream;

  g_hash_table_iter_init (&iter, self->streams);
  while (g_hash_table_iter_next (&iter, (void **) &stream, NULL))
    {
      g_autoptr(VtStream) held = g_object_ref (stream);

      g_hash_table_iter_remove (&iter);
      vt_stream_set_finished_func (stream, NULL, NULL);
      vt_forward_remove_stream (vt_stream_get_forward (stream), stream);
      /* Whoever watches the forward was told, and could do anything. */
      g_hash_table_iter_init (&iter, self->streams);
    }
}

static void
abandon_relays (VtClientTunnel *self)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The client is gone"));
  GHashTableIter iter;
  VtRelay *relay;
  VtStream *stream;

  g_hash_table_iter_init (&iter, self->relays);
  while (g_hash_table_iter_next (&iter, (void **) &relay, (void **) &stream))
    {
      g_hash_table_iter_steal (&iter);
      vt_relay_free (relay, error);
      g_object_unref (stream);
      /* As above: of the stream, too. */
      g_hash_table_iter_init (&iter, self->relays);
    }
}

void
vt_client_tunnel_free (VtClientTunnel *self)
{
  self->freed = TRUE;
  vt_timer_stop (self->later);
  abandon_streams (self);
  abandon_relays (self);
  g_clear_pointer (&self->trunk, vt_trunk_free);
  release (self);
}

void
vt_client_tunnel_close (VtClientTunnel *self)
{
  if (self->trunk != NULL)
    vt_trunk_close (self->trunk, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
}

void
vt_client_tunnel_abandon (VtClientTunnel *self, const GError *error)
{
  if (self->trunk == NULL || vt_timer_is_running (self->later))
    return;
  self->later_error = g_error_copy (error);
  vt_timer_start (self->later, 0);
}

void
vt_client_tunnel_abandon_now (VtClientTunnel *self, const GError *error)
{
  g_autoptr(VtClientTunnel) held = g_rc_box_acquire (self);

  if (self->trunk != NULL)
    vt_trunk_abandon (self->trunk, error);
}

void
vt_client_tunnel_begin_attempt (VtClientTunnel *self, VtResumption *resumption)
{
  *resumption = (VtResumption){
    .credentials = &self->credentials,
    .received = vt_trunk_prepare_resume (self->trunk),
    .attempt = ++self->n_attempts,
  };
}

static VtMux *
get_mux (VtClientTunnel *self)
{
  return self->trunk != NULL ? vt_trunk_get_mux (self->trunk) : NULL;
}

gboolean
vt_client_tunnel_resume (VtClientTunnel *self, VtLink *link, const VtControl *welcome)
{
  vt_trunk_resume (self->trunk, link, welcome);
  return get_mux (self) != NULL;
}

void
vt_client_tunnel_probe (VtClientTunnel *self, gint64 patience)
{
  if (self->trunk != NULL)
    vt_trunk_probe (self->trunk, patience);
}

void
vt_client_tunnel_listen (VtClientTunnel *self, VtForward *forward, guint16 port)
{
  VtMux *mux = get_mux (self);
  const char *name[] = { vt_forward_get_name (forward), NULL };
  VtMuxListen listen = { 0 };
  guint32 id;

  if (mux == NULL)
    return;
  switch (vt_forward_get_listen_kind (forward))
    {
    case VT_LISTEN_KIND_NONE:
      listen = (VtMuxListen){ .kind = VT_CONTROL_KIND_NONE, .names = name };
      break;
    case VT_LISTEN_KIND_HTTP:
      listen.kind = VT_CONTROL_KIND_HTTP;
      listen.names = vt_forward_get_host_names (forward);
      break;
    case VT_LISTEN_KIND_PORT:
    default:
      listen.kind = VT_CONTROL_KIND_TCP;
      listen.address = vt_forward_get_listen_address (forward);
      listen.port = port;
    }
  id = ++self->last_id;
  g_hash_table_insert (self->forwards, GUINT_TO_POINTER (id), g_object_ref (forward));
  g_hash_table_insert (self->ids, forward, GUINT_TO_POINTER (id));
  vt_mux_listen (mux, id, &listen);
}

guint32
vt_client_tunnel_unlisten (VtClientTunnel *self, VtForward *forward)
{
  guint32 id = GPOINTER_TO_UINT (g_hash_table_lookup (self->ids, forward));
  VtMux *mux = get_mux (self);
  g_autoptr(VtForward) taken = NULL;

  if (id == 0)
    return 0;
  taken = take_listen (self, id);
  return mux != NULL && vt_mux_unlisten (mux, id) ? id : 0;
}

GTlsDatabase *
vt_client_tunnel_get_trust (VtClientTunnel *self)
{
  return self->trust;
}

unsigned int
vt_client_tunnel_get_protocol (VtClientTunnel *self)
{
  return self->protocol;
}

gint64
vt_client_tunnel_get_last_seen (VtClientTunnel *self)
{
  VtMux *mux = get_mux (self);

  return mux != NULL ? vt_mux_get_last_seen (mux) : 0;
}
