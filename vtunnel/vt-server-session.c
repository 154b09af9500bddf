/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-session-private.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>
#include "vt-error.h"

#include "vt-forward-private.h"
#include "vt-loopback-private.h"
#include "vt-relay-private.h"
#include "vt-socket-private.h"
#include "vt-text-private.h"

/* An application can let go of its server in any handler, and with it of this session, while a
 * function here is still to return. So it is reference-counted, and without a trunk it is over. */
struct _VtServerSession {
  VtServerSessionHandlers handlers;
  void *user_data;
  char *bind_address; /* owned */
  unsigned int max_forwards;
  VtTrunk *trunk;     /* owned, NULL once the session is over */
  VtSession *session; /* owned */
  GHashTable *ports;  /* owned, of Port by id of the listen */
  GQueue users;       /* of User, by their own links */
};

/* The port of one forward. */
typedef struct {
  VtServerSession *session; /* not owned */
  guint32 id;
  VtForward *forward;   /* owned */
  VtListener *listener; /* owned */
} Port;

/* Somebody who connected to a port, until the relay is over. */
typedef struct {
  GList link;               /* in the session's users */
  VtServerSession *session; /* not owned, NULL once it is no longer the session's */
  VtStream *stream;         /* owned */
  VtRelay *relay;           /* owned */
} User;

static void
port_free (void *data)
{
  Port *port = data;

  g_clear_pointer (&port->listener, vt_listener_free);
  if (vt_list_remove (vt_session_get_forward_list (port->session->session), port->forward))
    {
      vt_forward_set_bound_port (port->forward, 0);
      vt_forward_set_state (port->forward, VT_FORWARD_STATE_IDLE, NULL);
    }
  g_object_unref (port->forward);
  g_free (port);
}

static void
session_clear (void *data)
{
  VtServerSession *self = data;

  g_hash_table_unref (self->ports);
  g_object_unref (self->session);
  g_free (self->bind_address);
}

static void
session_unref (VtServerSession *self)
{
  g_rc_box_release_full (self, session_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtServerSession, session_unref)

static void
user_free (User *user, const GError *error)
{
  vt_relay_free (user->relay, error);
  g_object_unref (user->stream);
  g_free (user);
}

/* Takes a user out of all lists. */
static void
forget_user (User *user)
{
  VtServerSession *self = g_steal_pointer (&user->session);

  g_queue_unlink (&self->users, &user->link);
  vt_list_remove (vt_session_get_stream_list (self->session), user->stream);
  vt_forward_remove_stream (vt_stream_get_forward (user->stream), user->stream);
}

static void
relay_finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  User *user = user_data;
  g_autoptr(VtServerSession) self = NULL;
  g_autoptr(VtStream) stream = NULL;

  if (user->session == NULL)
    {
      user_free (user, error);
      return;
    }
  self = g_rc_box_acquire (user->session);
  stream = g_object_ref (user->stream);
  forget_user (user);
  user_free (user, error);
  self->handlers.stream_closed (self, stream, error, self->user_data);
}

static void
ready_cb (void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = g_rc_box_acquire (self);

  self->handlers.ready (self, self->user_data);
}

/* The user sees a connection that is reset, not one that stays silent. */
static void
reset_user (int fd)
{
  vt_socket_arm_reset (fd);
  close (fd);
}

static void
user_arrived_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Port *port = user_data;
  g_autoptr(VtServerSession) self = g_rc_box_acquire (port->session);
  g_autoptr(VtForward) forward = g_object_ref (port->forward);
  g_autoptr(VtStream) stream = NULL;
  VtMux *mux = vt_trunk_get_mux (self->trunk);
  g_autoptr(GError) error = NULL;
  VtMuxStream *mux_stream;
  User *user;

  mux_stream = mux != NULL ? vt_mux_open_stream (mux, port->id, remote, local, &error) : NULL;
  if (mux_stream == NULL)
    {
      g_debug ("A user was turned away: %s", error != NULL ? error->message : "closing");
      reset_user (fd);
      return;
    }
  stream = vt_stream_new (mux_stream, forward, remote);
  user = g_new0 (User, 1);
  user->link.data = user;
  user->session = self;
  user->stream = g_object_ref (stream);
  user->relay = vt_relay_new_for_user (stream, fd, relay_finished_cb, user);
  g_queue_push_tail_link (&self->users, &user->link);

  /* Whoever hears of it may end the session, and the user and the port with it. */
  vt_forward_add_stream (forward, stream);
  if (self->trunk != NULL)
    vt_list_append (vt_session_get_stream_list (self->session), stream);
  if (self->trunk != NULL)
    self->handlers.stream_opened (self, stream, self->user_data);
}

static Port *
open_port (VtServerSession *self, guint32 id, VtForward *forward, GError **error)
{
  Port *port;

  if (g_hash_table_size (self->ports) >= self->max_forwards)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_LIMIT,
                   _ ("This client has reached the limit of %u forwards"), self->max_forwards);
      return NULL;
    }
  if (!self->handlers.authorise (self, forward, error, self->user_data))
    return NULL;
  port = g_new0 (Port, 1);
  port->session = self;
  port->id = id;
  port->forward = g_object_ref (forward);
  port->listener =
      vt_listener_new (vt_forward_get_listen_address (forward),
                       vt_forward_get_listen_port (forward), user_arrived_cb, port, error);
  if (port->listener == NULL)
    {
      port_free (port);
      return NULL;
    }
  return port;
}

static gboolean
check_kind (VtListenKind kind, GError **error)
{
  static const char *const texts[] = {
    [VT_LISTEN_HTTP] = N_ ("This server has no host names to give, only ports"),
    [VT_LISTEN_NONE] = N_ ("This server has no application that takes streams, only ports"),
    [VT_LISTEN_UNKNOWN] = N_ ("This server has no forwards of this kind, only ports"),
  };

  if (kind == VT_LISTEN_TCP)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ (texts[kind]));
  return FALSE;
}

/* Whether everything that listens there would be among what `place` stands for. */
static gboolean
covers (const char *place, const char *address)
{
  g_autoptr(GInetAddress) outer = g_inet_address_new_from_string (place);
  g_autoptr(GInetAddress) inner = g_inet_address_new_from_string (address);

  if (g_str_equal (place, "*") || g_str_equal (place, address))
    return TRUE;
  if (g_str_equal (place, "localhost"))
    return vt_loopback_is_address (address);
  if (outer == NULL || inner == NULL
      || g_inet_address_get_family (outer) != g_inet_address_get_family (inner))
    return FALSE;
  return g_inet_address_get_is_any (outer) || g_inet_address_equal (outer, inner);
}

/* A client may wish for less than what the server opens for everybody, not for more. */
static gboolean
check_address (VtServerSession *self, const char *address, GError **error)
{
  g_autofree char *escaped = NULL;

  if (address == NULL || covers (self->bind_address, address))
    return TRUE;
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("This server opens ports at “%s”, which leaves out “%s”"), self->bind_address,
               escaped);
  return FALSE;
}

static void
refuse (VtServerSession *self, guint32 id, const GError *error)
{
  VtMux *mux = self->trunk != NULL ? vt_trunk_get_mux (self->trunk) : NULL;

  if (mux != NULL)
    vt_mux_listen_refuse (mux, id, error);
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = g_rc_box_acquire (self);
  const char *address = listen->address != NULL ? listen->address : self->bind_address;
  g_autoptr(VtForward) forward = vt_forward_new_remote (address, listen->port);
  g_autoptr(GError) error = NULL;
  Port *port;
  VtMux *mux;

  if (!check_kind (listen->kind, &error) || !check_address (self, listen->address, &error))
    {
      refuse (self, id, error);
      return;
    }
  vt_forward_set_state (forward, VT_FORWARD_STATE_PENDING, NULL);
  port = open_port (self, id, forward, &error);
  if (port == NULL)
    {
      vt_forward_set_state (forward, VT_FORWARD_STATE_FAILED, error);
      refuse (self, id, error);
      return;
    }
  mux = self->trunk != NULL ? vt_trunk_get_mux (self->trunk) : NULL;
  /* The application closed the session when it was asked. */
  if (mux == NULL)
    {
      port_free (port);
      return;
    }
  g_hash_table_insert (self->ports, GUINT_TO_POINTER (id), port);
  vt_mux_listen_accept (mux, id, vt_listener_get_address (port->listener),
                        vt_listener_get_port (port->listener));

  /* Whoever hears of it may end the session, and the port with it: so this comes last, at once. */
  g_object_freeze_notify (G_OBJECT (forward));
  vt_forward_set_bound_port (forward, vt_listener_get_port (port->listener));
  vt_forward_set_state (forward, VT_FORWARD_STATE_LISTENING, NULL);
  vt_list_append (vt_session_get_forward_list (self->session), forward);
  g_object_thaw_notify (G_OBJECT (forward));
}

static void
unlistened_cb (guint32 id, void *user_data)
{
  VtServerSession *self = user_data;

  g_hash_table_remove (self->ports, GUINT_TO_POINTER (id));
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
  VtServerSession *self = user_data;

  vt_session_set_rtt (self->session, rtt);
}

/* One after the other, since every one that is told of may lead to anything. */
static void
abort_users (VtServerSession *self, const GError *error)
{
  while (!g_queue_is_empty (&self->users))
    {
      User *user = g_queue_peek_head (&self->users);
      g_autoptr(VtStream) stream = g_object_ref (user->stream);

      forget_user (user);
      user_free (user, error);
      self->handlers.stream_closed (self, stream, error, self->user_data);
    }
}

/* The trunk's end has aborted all streams that were open. What is left has ended in order before,
 * and only has to write its rest to a slow user, which needs no client. */
static void
leave_users (VtServerSession *self)
{
  while (!g_queue_is_empty (&self->users))
    {
      User *user = g_queue_peek_head (&self->users);
      g_autoptr(VtStream) stream = g_object_ref (user->stream);

      forget_user (user);
      self->handlers.stream_closed (self, stream, NULL, self->user_data);
    }
}

static void
trunk_closed_cb (const GError *error, void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = g_rc_box_acquire (self);

  g_hash_table_remove_all (self->ports);
  leave_users (self);
  if (self->trunk != NULL)
    self->handlers.closed (self, error, self->user_data);
}

static void
close_requested_cb (VtSession *session, void *user_data)
{
  vt_server_session_close (user_data, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
}

VtServerSession *
vt_server_session_new (SoupWebsocketConnection *connection,
                       VtGate *gate,
                       GSocketAddress *client,
                       const VtServerSessionConfig *config,
                       const VtServerSessionHandlers *handlers,
                       void *user_data)
{
  const VtTrunkHandlers trunk_handlers = {
    .ready = ready_cb,
    .listen_requested = listen_requested_cb,
    .unlistened = unlistened_cb,
    .rtt_measured = rtt_measured_cb,
    .closed = trunk_closed_cb,
  };
  VtServerSession *self = g_rc_box_new0 (VtServerSession);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->bind_address = g_strdup (config->bind_address);
  self->max_forwards = config->max_forwards;
  self->ports = g_hash_table_new_full (NULL, NULL, NULL, port_free);
  self->session = vt_session_new (NULL, client, config->mux.protocol, close_requested_cb, self);
  self->trunk = vt_trunk_new (connection, gate, &config->mux, &trunk_handlers, self);
  return self;
}

void
vt_server_session_free (VtServerSession *self)
{
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server has shut down"));

  vt_session_detach (self->session);
  g_hash_table_remove_all (self->ports);
  abort_users (self, error);
  g_clear_pointer (&self->trunk, vt_trunk_free);
  session_unref (self);
}

gboolean
vt_server_session_is_ready (VtServerSession *self)
{
  return vt_trunk_is_ready (self->trunk);
}

VtSession *
vt_server_session_get_session (VtServerSession *self)
{
  return self->session;
}

void
vt_server_session_close (VtServerSession *self, unsigned int code, const char *reason)
{
  vt_trunk_close (self->trunk, code, reason);
}
