/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-session-private.h"

#include <stdint.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-random-private.h"
#include "vt-stream.h"

/**
 * VtSession:
 *
 * One connected client, as a [class@Vt.Server] sees it.
 *
 * A session begins with [signal@Vt.Server::session-opened] and is over with
 * [signal@Vt.Server::session-closed]; the object may be kept for longer, and then has neither
 * forwards nor streams any more. It is used from the thread of its server.
 *
 * With version 2 of the protocol a session outlives its connection: a client that has lost it has
 * [property@Vt.Server:resume-timeout] to come back, and finds its forwards and streams as they
 * were. Meanwhile [property@Vt.Session:connected] is %FALSE.
 *
 * ```c
 * static void
 * session_opened_cb (VtServer *server, VtSession *session, gpointer user_data)
 * {
 *   g_autofree char *address = g_socket_connectable_to_string (
 *       G_SOCKET_CONNECTABLE (vt_session_get_client_address (session)));
 *
 *   g_print ("%s connected from %s\n", vt_session_get_id (session), address);
 * }
 * ```
 *
 * Since: 1.0
 */
struct _VtSession {
  GObject parent_instance;

  char *id;                       /* owned */
  char *user;                     /* owned, nullable */
  GSocketAddress *client_address; /* owned, nullable */
  unsigned int protocol;
  gboolean connected;
  unsigned int n_resumed;
  gint64 rtt;
  VtList *forwards; /* owned, of VtForward */
  VtList *streams;  /* owned, of VtStream */

  const VtSessionHandlers *handlers; /* NULL once the session is over */
  void *handlers_data;               /* not owned */
};

typedef enum {
  PROP_ID = 1,
  PROP_USER,
  PROP_CLIENT_ADDRESS,
  PROP_PROTOCOL,
  PROP_CONNECTED,
  PROP_N_RESUMED,
  PROP_RTT,
  PROP_FORWARDS,
  PROP_STREAMS,
} VtSessionProperty;

static GParamSpec *props[PROP_STREAMS + 1];

G_DEFINE_FINAL_TYPE (VtSession, vt_session, G_TYPE_OBJECT)

static char *
create_id (void)
{
  uint8_t bytes[16];
  GString *id = g_string_sized_new (2 * sizeof bytes);

  vt_random_fill (bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++)
    g_string_append_printf (id, "%02x", bytes[i]);
  return g_string_free (id, FALSE);
}

static void
vt_session_get_property (GObject *object,
                         unsigned int property_id,
                         GValue *value,
                         GParamSpec *pspec)
{
  VtSession *self = VT_SESSION (object);

  switch ((VtSessionProperty) property_id)
    {
    case PROP_ID:
      g_value_set_string (value, self->id);
      break;
    case PROP_USER:
      g_value_set_string (value, self->user);
      break;
    case PROP_CLIENT_ADDRESS:
      g_value_set_object (value, self->client_address);
      break;
    case PROP_PROTOCOL:
      g_value_set_uint (value, self->protocol);
      break;
    case PROP_CONNECTED:
      g_value_set_boolean (value, self->connected);
      break;
    case PROP_N_RESUMED:
      g_value_set_uint (value, self->n_resumed);
      break;
    case PROP_RTT:
      g_value_set_int64 (value, self->rtt);
      break;
    case PROP_FORWARDS:
      g_value_set_object (value, self->forwards);
      break;
    case PROP_STREAMS:
      g_value_set_object (value, self->streams);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_session_finalize (GObject *object)
{
  VtSession *self = VT_SESSION (object);

  g_free (self->id);
  g_free (self->user);
  g_clear_object (&self->client_address);
  g_object_unref (self->forwards);
  g_object_unref (self->streams);
  G_OBJECT_CLASS (vt_session_parent_class)->finalize (object);
}

#define READABLE (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY)

static void
define_client (void)
{
  /**
   * VtSession:id: (getter get_id)
   *
   * A name for the session that no other has: 32 hexadecimal digits. It is no secret.
   *
   * Since: 1.0
   */
  props[PROP_ID] = g_param_spec_string ("id", NULL, NULL, NULL, READABLE);

  /**
   * VtSession:user: (getter get_user)
   *
   * The name under which the client is known, by [property@Vt.Server:access], or %NULL if the
   * server knows it by none.
   *
   * Since: 1.0
   */
  props[PROP_USER] = g_param_spec_string ("user", NULL, NULL, NULL, READABLE);

  /**
   * VtSession:client-address: (getter get_client_address)
   *
   * Where the client connected from, the last time if it came back, or %NULL if that is not known.
   * Behind a proxy, this is the proxy's address, unless it is one of
   * [property@Vt.Server:trusted-proxies].
   *
   * Since: 1.0
   */
  props[PROP_CLIENT_ADDRESS] =
      g_param_spec_object ("client-address", NULL, NULL, G_TYPE_SOCKET_ADDRESS, READABLE);

  /**
   * VtSession:protocol: (getter get_protocol)
   *
   * The version of the protocol that is spoken with the client.
   *
   * Since: 1.0
   */
  props[PROP_PROTOCOL] = g_param_spec_uint ("protocol", NULL, NULL, 0, G_MAXUINT, 0, READABLE);
}

/* What changes while the session lasts. */
static void
define_state (void)
{
  /**
   * VtSession:connected: (getter get_connected)
   *
   * Whether there is a connection to the client. It is %FALSE while a client that has lost it may
   * come back, and from [signal@Vt.Server::session-closed] on; the signal comes first.
   *
   * Since: 1.0
   */
  props[PROP_CONNECTED] = g_param_spec_boolean ("connected", NULL, NULL, FALSE, READABLE);

  /**
   * VtSession:n-resumed: (getter get_n_resumed)
   *
   * How often the client has come back to this session with a new connection.
   *
   * Since: 1.0
   */
  props[PROP_N_RESUMED] = g_param_spec_uint ("n-resumed", NULL, NULL, 0, G_MAXUINT, 0, READABLE);

  /**
   * VtSession:rtt: (getter get_rtt)
   *
   * The time to the client and back when it was measured last, in microseconds; -1 until then.
   *
   * Since: 1.0
   */
  props[PROP_RTT] = g_param_spec_int64 ("rtt", NULL, NULL, -1, G_MAXINT64, -1, READABLE);

  /**
   * VtSession:forwards: (getter get_forwards)
   *
   * The forwards that are open for the client, a list of [class@Vt.Forward].
   *
   * Since: 1.0
   */
  props[PROP_FORWARDS] = g_param_spec_object ("forwards", NULL, NULL, G_TYPE_LIST_MODEL, READABLE);

  /**
   * VtSession:streams: (getter get_streams)
   *
   * The connections that go through the tunnel now, a list of [class@Vt.Stream].
   *
   * Since: 1.0
   */
  props[PROP_STREAMS] = g_param_spec_object ("streams", NULL, NULL, G_TYPE_LIST_MODEL, READABLE);
}

static void
vt_session_class_init (VtSessionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = vt_session_get_property;
  object_class->finalize = vt_session_finalize;
  define_client ();
  define_state ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
vt_session_init (VtSession *self)
{
  self->id = create_id ();
  self->rtt = -1;
  self->forwards = vt_list_new (VT_TYPE_FORWARD);
  self->streams = vt_list_new (VT_TYPE_STREAM);
}

VtSession *
vt_session_new (const char *user,
                GSocketAddress *client_address,
                unsigned int protocol,
                const VtSessionHandlers *handlers,
                void *user_data)
{
  VtSession *self = g_object_new (VT_TYPE_SESSION, NULL);

  self->user = g_strdup (user);
  g_set_object (&self->client_address, client_address);
  self->protocol = protocol;
  self->connected = TRUE;
  self->handlers = handlers;
  self->handlers_data = user_data;
  return self;
}

void
vt_session_detach (VtSession *self)
{
  self->handlers = NULL;
}

void
vt_session_request_stream (VtSession *self,
                           VtForward *forward,
                           GSocketAddress *address,
                           GTask *task)
{
  if (self->handlers != NULL)
    self->handlers->open_stream (self, forward, address, task, self->handlers_data);
  else
    g_task_return_new_error (task, VT_ERROR, VT_ERROR_CANCELLED, "%s", _ ("The session has ended"));
}

VtList *
vt_session_get_forward_list (VtSession *self)
{
  return self->forwards;
}

VtList *
vt_session_get_stream_list (VtSession *self)
{
  return self->streams;
}

void
vt_session_set_connected (VtSession *self, gboolean connected)
{
  if (self->connected == connected)
    return;
  self->connected = connected;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CONNECTED]);
}

void
vt_session_note_resumed (VtSession *self, GSocketAddress *client_address)
{
  g_object_freeze_notify (G_OBJECT (self));
  if (g_set_object (&self->client_address, client_address))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CLIENT_ADDRESS]);
  self->n_resumed++;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_N_RESUMED]);
  vt_session_set_connected (self, TRUE);
  g_object_thaw_notify (G_OBJECT (self));
}

void
vt_session_set_rtt (VtSession *self, gint64 rtt)
{
  if (self->rtt == rtt)
    return;
  self->rtt = rtt;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_RTT]);
}

/**
 * vt_session_get_id: (get-property id)
 * @self: a session
 *
 * Gets the name of the session: 32 hexadecimal digits. It is no secret.
 *
 * Returns: the name
 *
 * Since: 1.0
 */
const char *
vt_session_get_id (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);

  return self->id;
}

/**
 * vt_session_get_user: (get-property user)
 * @self: a session
 *
 * Gets the name under which the client is known.
 *
 * Returns: (nullable): the name, or %NULL if the server knows the client by none
 *
 * Since: 1.0
 */
const char *
vt_session_get_user (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);

  return self->user;
}

/**
 * vt_session_get_client_address: (get-property client-address)
 * @self: a session
 *
 * Gets where the client connected from, the last time if it came back.
 *
 * Returns: (transfer none) (nullable): the address, or %NULL if it is not known
 *
 * Since: 1.0
 */
GSocketAddress *
vt_session_get_client_address (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);

  return self->client_address;
}

/**
 * vt_session_get_protocol: (get-property protocol)
 * @self: a session
 *
 * Gets the version of the protocol that is spoken with the client.
 *
 * Returns: the version
 *
 * Since: 1.0
 */
unsigned int
vt_session_get_protocol (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), 0);

  return self->protocol;
}

/**
 * vt_session_get_connected: (get-property connected)
 * @self: a session
 *
 * Gets whether there is a connection to the client.
 *
 * Returns: %FALSE while a client that has lost its connection may come back, and once the session
 *   is over
 *
 * Since: 1.0
 */
gboolean
vt_session_get_connected (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), FALSE);

  return self->connected;
}

/**
 * vt_session_get_n_resumed: (get-property n-resumed)
 * @self: a session
 *
 * Gets how often the client has come back to this session with a new connection.
 *
 * Returns: the number of times
 *
 * Since: 1.0
 */
unsigned int
vt_session_get_n_resumed (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), 0);

  return self->n_resumed;
}

/**
 * vt_session_get_rtt: (get-property rtt)
 * @self: a session
 *
 * Gets the time to the client and back when it was measured last.
 *
 * Returns: the time in microseconds, or -1 if it was not measured yet
 *
 * Since: 1.0
 */
gint64
vt_session_get_rtt (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), -1);

  return self->rtt;
}

/**
 * vt_session_get_forwards: (get-property forwards)
 * @self: a session
 *
 * Gets the forwards that are open for the client.
 *
 * Returns: (transfer none): a list of [class@Vt.Forward]
 *
 * Since: 1.0
 */
GListModel *
vt_session_get_forwards (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);

  return G_LIST_MODEL (self->forwards);
}

/**
 * vt_session_get_streams: (get-property streams)
 * @self: a session
 *
 * Gets the connections that go through the tunnel now.
 *
 * Returns: (transfer none): a list of [class@Vt.Stream]
 *
 * Since: 1.0
 */
GListModel *
vt_session_get_streams (VtSession *self)
{
  g_return_val_if_fail (VT_IS_SESSION (self), NULL);

  return G_LIST_MODEL (self->streams);
}

/**
 * vt_session_close:
 * @self: a session
 *
 * Ends the session: its streams end, and the client is told.
 *
 * [signal@Vt.Server::session-closed] follows when it is done, at the latest after 5 seconds, and
 * without delay if the client has lost its connection. It cannot come back then.
 * Nothing happens if the session is over already.
 *
 * Since: 1.0
 */
void
vt_session_close (VtSession *self)
{
  g_return_if_fail (VT_IS_SESSION (self));

  if (self->handlers != NULL)
    self->handlers->close (self, self->handlers_data);
}
