/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-sessions.h"

#include <glib/gi18n.h>

#include "vt-tool-stream.h"

/* One client. A list model says where an item was removed, not which one: so the forwards are kept
 * here as they stand there. */
typedef struct {
  VtToolSessions *owner; /* not owned */
  VtSession *session;    /* owned */
  GPtrArray *forwards;   /* owned, of VtForward */
} Client;

struct _VtToolSessions {
  VtServer *server;     /* owned */
  VtToolEvents *events; /* not owned */
  GHashTable *clients;  /* owned, of VtSession and Client */
};

/* The log shows the first eight characters of an id, which are enough to tell sessions apart;
 * events have all of it. */
static JsonBuilder *
begin_event (const char *name, VtSession *session)
{
  JsonBuilder *event = vt_tool_event_begin (name);

  vt_tool_event_add_text (event, "session", vt_session_get_id (session));
  return event;
}

static char *
describe_address (GSocketAddress *address)
{
  if (!G_IS_SOCKET_CONNECTABLE (address))
    return g_strdup (_ ("an unknown address"));
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
}

static void
tell_names (VtForward *forward, const char *id, gboolean opened)
{
  g_autofree char *names = g_strjoinv (", ", (char **) vt_forward_get_host_names (forward));

  if (opened)
    g_message (_ ("Session %.8s: has %s"), id, names);
  else
    g_message (_ ("Session %.8s: %s is free"), id, names);
}

static void
tell_forward (Client *self, VtForward *forward, gboolean opened)
{
  JsonBuilder *event = begin_event (opened ? "forward-opened" : "forward-closed", self->session);
  unsigned int port = vt_forward_get_bound_port (forward);
  const char *id = vt_session_get_id (self->session);

  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP)
    tell_names (forward, id, opened);
  else if (opened)
    g_message (_ ("Session %.8s: port %u is open"), id, port);
  else
    g_message (_ ("Session %.8s: port %u is closed"), id, port);
  vt_tool_event_add_forward (event, forward, opened);
  vt_tool_events_send (self->owner->events, event);
}

static void
forwards_changed_cb (GListModel *model,
                     unsigned int position,
                     unsigned int removed,
                     unsigned int added,
                     Client *self)
{
  for (unsigned int i = 0; i < removed; i++)
    {
      g_autoptr(VtForward) forward = g_ptr_array_steal_index (self->forwards, position);

      tell_forward (self, forward, FALSE);
    }
  for (unsigned int i = 0; i < added; i++)
    {
      VtForward *forward = g_list_model_get_item (model, position + i);

      g_ptr_array_insert (self->forwards, position + i, forward);
      tell_forward (self, forward, TRUE);
    }
}

/* Of one that is over, nothing more is heard. */
static void
connected_changed_cb (VtSession *session, GParamSpec *pspec, Client *self)
{
  if (vt_session_get_connected (session))
    return;
  g_message (_ ("Session %.8s: the connection was lost"), vt_session_get_id (session));
  vt_tool_events_send (self->owner->events, begin_event ("session-suspended", session));
}

/* Also where it was not known that the old connection was lost. */
static void
resumed_cb (VtSession *session, GParamSpec *pspec, Client *self)
{
  GSocketAddress *address = vt_session_get_client_address (session);
  g_autofree char *from = describe_address (address);
  JsonBuilder *event = begin_event ("session-resumed", session);

  g_message (_ ("Session %.8s: resumed by %s"), vt_session_get_id (session), from);
  vt_tool_event_add_address (event, "address", "port", address);
  vt_tool_events_send (self->owner->events, event);
}

static void
client_free (Client *self)
{
  g_signal_handlers_disconnect_by_data (self->session, self);
  g_signal_handlers_disconnect_by_data (vt_session_get_forwards (self->session), self);
  g_ptr_array_unref (self->forwards);
  g_object_unref (self->session);
  g_free (self);
}

static void
session_opened_cb (VtServer *server, VtSession *session, VtToolSessions *self)
{
  GSocketAddress *address = vt_session_get_client_address (session);
  g_autofree char *from = describe_address (address);
  const char *user = vt_session_get_user (session);
  JsonBuilder *event = begin_event ("session-opened", session);
  Client *client = g_new0 (Client, 1);

  if (user != NULL)
    g_message (_ ("Session %.8s: opened by “%s” from %s"), vt_session_get_id (session), user, from);
  else
    g_message (_ ("Session %.8s: opened by %s"), vt_session_get_id (session), from);
  vt_tool_event_add_text (event, "user", user);
  vt_tool_event_add_address (event, "address", "port", address);
  vt_tool_event_add_number (event, "protocol", vt_session_get_protocol (session));
  vt_tool_events_send (self->events, event);

  client->owner = self;
  client->session = g_object_ref (session);
  client->forwards = g_ptr_array_new_with_free_func (g_object_unref);
  g_hash_table_insert (self->clients, client->session, client);
  g_signal_connect (vt_session_get_forwards (session), "items-changed",
                    G_CALLBACK (forwards_changed_cb), client);
  g_signal_connect (session, "notify::connected", G_CALLBACK (connected_changed_cb), client);
  g_signal_connect (session, "notify::n-resumed", G_CALLBACK (resumed_cb), client);
}

static void
session_closed_cb (VtServer *server, VtSession *session, const GError *error, VtToolSessions *self)
{
  JsonBuilder *event = begin_event ("session-closed", session);
  const char *id = vt_session_get_id (session);

  if (error != NULL)
    g_message (_ ("Session %.8s: ended: %s"), id, error->message);
  else
    g_message (_ ("Session %.8s: closed"), id);
  vt_tool_event_add_error (event, error);
  vt_tool_events_send (self->events, event);
  g_hash_table_remove (self->clients, session);
}

static void
stream_opened_cb (VtServer *server, VtSession *session, VtStream *stream, VtToolSessions *self)
{
  vt_tool_stream_tell_opened (stream, session, self->events);
}

static void
stream_closed_cb (VtServer *server,
                  VtSession *session,
                  VtStream *stream,
                  const GError *error,
                  VtToolSessions *self)
{
  vt_tool_stream_tell_closed (stream, session, error, self->events);
}

VtToolSessions *
vt_tool_sessions_new (VtServer *server, VtToolEvents *events)
{
  VtToolSessions *self = g_new0 (VtToolSessions, 1);

  self->server = g_object_ref (server);
  self->events = events;
  self->clients =
      g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) (void (*) (void)) client_free);
  g_signal_connect (server, "session-opened", G_CALLBACK (session_opened_cb), self);
  g_signal_connect (server, "session-closed", G_CALLBACK (session_closed_cb), self);
  if (vt_tool_stream_is_told (events))
    {
      g_signal_connect (server, "stream-opened", G_CALLBACK (stream_opened_cb), self);
      g_signal_connect (server, "stream-closed", G_CALLBACK (stream_closed_cb), self);
    }
  return self;
}

void
vt_tool_sessions_free (VtToolSessions *self)
{
  g_signal_handlers_disconnect_by_data (self->server, self);
  g_hash_table_unref (self->clients);
  g_object_unref (self->server);
  g_free (self);
}
