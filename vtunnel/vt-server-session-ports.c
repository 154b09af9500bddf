/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-session-struct-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-arrivals-private.h"
#include "vt-forward-private.h"
#include "vt-listen-place-private.h"
#include "vt-text-private.h"

/* The port of one forward, or that there is none for it. */
typedef struct {
  VtServerListen listen;
  VtListener *listener; /* owned, NULL where it has no port */
  VtArrivals *arrivals; /* owned, NULL unless users come with a PROXY header */
  gboolean has_names;   /* in the table of host names */
} Port;

static void
port_free (void *data)
{
  Port *port = data;

  g_clear_pointer (&port->listener, vt_listener_free);
  g_clear_pointer (&port->arrivals, vt_arrivals_free);
  if (port->has_names)
    vt_server_session_release_names (port->listen.session, &port->listen);
  if (vt_list_remove (vt_session_get_forward_list (port->listen.session->session),
                      port->listen.forward))
    {
      vt_forward_set_bound_port (port->listen.forward, 0);
      vt_forward_set_url (port->listen.forward, NULL);
      vt_forward_set_state (port->listen.forward, VT_FORWARD_STATE_IDLE, NULL);
    }
  g_object_unref (port->listen.forward);
  g_free (port);
}

GHashTable *
vt_server_session_new_ports (void)
{
  return g_hash_table_new_full (NULL, NULL, NULL, port_free);
}

static void
user_known_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Port *port = user_data;

  vt_server_session_add_user (&port->listen, fd, remote, local, NULL);
}

static void
user_arrived_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Port *port = user_data;

  if (port->arrivals != NULL)
    vt_arrivals_add (port->arrivals, fd, remote, local);
  else
    user_known_cb (fd, remote, local, port);
}

static void
user_refused_cb (void *user_data)
{
  Port *port = user_data;

  port->listen.session->counters->users_refused[VT_COUNTERS_NO_PROXY_HEADER]++;
}

static VtListener *
open_listener (Port *port, GError **error)
{
  VtListener *listener = vt_listener_new (vt_forward_get_listen_address (port->listen.forward),
                                          vt_forward_get_listen_port (port->listen.forward),
                                          user_arrived_cb, port, error);

  if (listener == NULL)
    return NULL;
  vt_listener_set_max_rate (listener, port->listen.session->max_accept_rate);
  vt_listener_set_held (listener, port->listen.session->crowded);
  return listener;
}

/* Whether a proxy stands before the port is asked when it is known which one it is. */
static void
expect_proxy (VtServerSession *self, Port *port)
{
  if (self->handlers.expects_proxy (self, vt_listener_get_port (port->listener), self->user_data))
    port->arrivals = vt_arrivals_new (NULL, user_known_cb, user_refused_cb, port);
}

/* Whoever was asked meanwhile may have answered in its own way, and let go of the server. */
gboolean
vt_server_session_check_staying (VtServerSession *self, GError **error)
{
  if (!self->draining && self->trunk != NULL)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN, _ ("The server is shutting down"));
  return FALSE;
}

/* Where another client keeps the port, that one may have to make room. */
static gboolean
occupy_port (VtServerSession *self, Port *port, unsigned int *retry_after, GError **error)
{
  g_autoptr(GError) reason = NULL;

  port->listener = open_listener (port, &reason);
  if (g_error_matches (reason, VT_ERROR, VT_ERROR_ADDRESS_IN_USE)
      && self->handlers.free_port (self, port->listen.forward, retry_after, self->user_data))
    {
      g_clear_error (&reason);
      if (vt_server_session_check_staying (self, &reason))
        port->listener = open_listener (port, &reason);
    }
  if (port->listener != NULL)
    {
      expect_proxy (self, port);
      return TRUE;
    }
  if (*retry_after > 0)
    g_set_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE,
                 _ ("Port %u is held for a client that has lost its connection; it may be free in "
                    "%u s"),
                 vt_forward_get_listen_port (port->listen.forward), *retry_after);
  else
    g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}

/* Whatever the kind asks for. */
static gboolean
occupy (VtServerSession *self, Port *port, unsigned int *retry_after, GError **error)
{
  switch (vt_forward_get_listen_kind (port->listen.forward))
    {
    case VT_LISTEN_KIND_NONE:
      return TRUE;
    case VT_LISTEN_KIND_HTTP:
      port->has_names = vt_server_session_claim_names (self, &port->listen, retry_after, error);
      return port->has_names;
    case VT_LISTEN_KIND_PORT:
    default:
      return occupy_port (self, port, retry_after, error);
    }
}

static Port *
open_port (VtServerSession *self,
           guint32 id,
           VtForward *forward,
           unsigned int *retry_after,
           GError **error)
{
  Port *port;

  if (!vt_server_session_check_staying (self, error))
    return NULL;
  if (g_hash_table_size (self->ports) >= self->max_forwards)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_LIMIT,
                   _ ("This client has reached the limit of %u forwards"), self->max_forwards);
      return NULL;
    }
  if (!self->handlers.authorise (self, forward, error, self->user_data)
      || !vt_server_session_check_staying (self, error))
    return NULL;
  port = g_new0 (Port, 1);
  port->listen.session = self;
  port->listen.id = id;
  port->listen.forward = g_object_ref (forward);
  if (!occupy (self, port, retry_after, error) || !vt_server_session_check_staying (self, error))
    {
      port_free (port);
      return NULL;
    }
  return port;
}

static gboolean
check_kind (VtServerSession *self, VtControlKind kind, GError **error)
{
  static const char *const texts[] = {
    [VT_CONTROL_KIND_HTTP] = N_ ("This server has no host names to give, only ports"),
    [VT_CONTROL_KIND_UNKNOWN] = N_ ("This server has no forwards of this kind, only ports"),
  };

  if (kind == VT_CONTROL_KIND_TCP || kind == VT_CONTROL_KIND_NONE
      || (kind == VT_CONTROL_KIND_HTTP && self->handlers.has_names (self, self->user_data)))
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT, _ (texts[kind]));
  return FALSE;
}

/* A client may wish for less than what the server opens for it, not for more. */
static gboolean
check_address (VtServerSession *self, const char *address, GError **error)
{
  g_autofree char *escaped = NULL;

  if (address == NULL || vt_listen_place_covers (self->bind_address, address))
    return TRUE;
  for (char **place = self->addresses; place != NULL && *place != NULL; place++)
    if (vt_listen_place_covers (*place, address))
      return TRUE;
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("This server opens ports at “%s”, which leaves out “%s”"), self->bind_address,
               escaped);
  return FALSE;
}

static void
refuse (VtServerSession *self, guint32 id, const GError *error, unsigned int retry_after)
{
  VtMux *mux = vt_server_session_get_mux (self);

  vt_counters_note_forward_refused (self->counters, error);
  if (mux != NULL)
    vt_mux_listen_refuse (mux, id, error, retry_after);
}

/* Whoever hears of it may end the session, and the port with it: so this comes last, at once. */
static void
tell_listening (VtServerSession *self, VtForward *forward, guint16 bound)
{
  g_object_freeze_notify (G_OBJECT (forward));
  vt_forward_set_bound_port (forward, bound);
  vt_forward_set_state (forward, VT_FORWARD_STATE_LISTENING, NULL);
  vt_list_append (vt_session_get_forward_list (self->session), forward);
  g_object_thaw_notify (G_OBJECT (forward));
}

static VtForward *
new_forward (VtServerSession *self, const VtMuxListen *listen, GError **error)
{
  static const char *const none[] = { NULL };
  const char *address = listen->address != NULL ? listen->address : self->bind_address;

  if (!check_kind (self, listen->kind, error))
    return NULL;
  if (listen->kind == VT_CONTROL_KIND_HTTP)
    return vt_forward_new_remote_for_names (listen->names != NULL ? listen->names : none, error);
  if (listen->kind == VT_CONTROL_KIND_NONE)
    return vt_forward_new_remote_without_port (listen->names != NULL ? listen->names[0] : NULL);
  if (!check_address (self, listen->address, error))
    return NULL;
  return vt_forward_new_remote (address, listen->port);
}

static void
accept_listen (VtMux *mux, Port *port)
{
  VtServerSession *self = port->listen.session;
  VtForward *forward = port->listen.forward;
  g_autofree char *url = NULL;
  const char *address = NULL;
  guint16 bound = 0;

  if (port->has_names)
    {
      url = self->handlers.make_url (self, forward, self->user_data);
      vt_forward_set_url (forward, url);
      vt_mux_listen_accept_names (mux, port->listen.id, url);
      tell_listening (self, forward, 0);
      return;
    }
  if (port->listener != NULL)
    {
      address = vt_listener_get_address (port->listener);
      bound = vt_listener_get_port (port->listener);
    }
  vt_mux_listen_accept (mux, port->listen.id, address, bound);
  tell_listening (self, forward, bound);
}

void
vt_server_session_listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  VtServerSession *self = user_data;
  g_autoptr(VtServerSession) alive = vt_server_session_ref (self);
  g_autoptr(GError) error = NULL;
  g_autoptr(VtForward) forward = new_forward (self, listen, &error);
  unsigned int retry_after = 0;
  Port *port;
  VtMux *mux;

  if (forward == NULL)
    {
      refuse (self, id, error, 0);
      return;
    }
  vt_forward_set_state (forward, VT_FORWARD_STATE_PENDING, NULL);
  port = open_port (self, id, forward, &retry_after, &error);
  if (port == NULL)
    {
      vt_forward_set_state (forward, VT_FORWARD_STATE_FAILED, error);
      refuse (self, id, error, retry_after);
      return;
    }
  mux = vt_server_session_get_mux (self);
  if (mux == NULL)
    {
      port_free (port);
      return;
    }
  g_hash_table_insert (self->ports, GUINT_TO_POINTER (id), port);
  self->counters->forwards_opened++;
  accept_listen (mux, port);
}

void
vt_server_session_unlistened_cb (guint32 id, void *user_data)
{
  VtServerSession *self = user_data;

  g_hash_table_remove (self->ports, GUINT_TO_POINTER (id));
}

/* Users wait in the backlogs of the ports: they come to no harm there, and cost nothing. */
void
vt_server_session_crowded_cb (gboolean crowded, void *user_data)
{
  VtServerSession *self = user_data;
  GHashTableIter iter;
  void *value;

  self->crowded = crowded;
  g_hash_table_iter_init (&iter, self->ports);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Port *port = value;

      if (port->listener != NULL)
        vt_listener_set_held (port->listener, crowded);
    }
}

gboolean
vt_server_session_has_port (VtServerSession *self, const char *address, guint16 port)
{
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init (&iter, self->ports);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Port *own = value;

      if (own->listener != NULL && vt_listener_get_port (own->listener) == port
          && vt_listen_place_overlaps (vt_forward_get_listen_address (own->listen.forward),
                                       address))
        return TRUE;
    }
  return FALSE;
}

guint32
vt_server_session_find_port (VtServerSession *self, VtForward *forward)
{
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init (&iter, self->ports);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Port *port = value;

      if (port->listen.forward == forward)
        return port->listen.id;
    }
  return 0;
}
