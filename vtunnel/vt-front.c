/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-front-private.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-clock-private.h"
#include "vt-front-guest-private.h"
#include "vt-front-page-private.h"
#include "vt-front-upgrade-private.h"
#include "vt-listener-private.h"
#include "vt-loopback-private.h"
#include "vt-negotiation-private.h"
#include "vt-text-private.h"
#include "vt-tls-accept-private.h"

#define MAX_HEAD (16 * 1024)
#define HEAD_DEADLINE (10 * G_TIME_SPAN_SECOND)
#define TLS_DEADLINE (10 * G_TIME_SPAN_SECOND)
/* How long a peer that is still sending a body has for reading why it is not wanted. */
#define LINGER (1 * G_TIME_SPAN_SECOND)

/* Where requests come in: our own SoupServer or one of the application's. Requests that are under
 * way keep it, and see that the front is gone. */
typedef struct {
  VtFront *front;     /* not owned, NULL once the door is shut */
  SoupServer *server; /* owned, NULL once the door is shut */
  char *path;         /* owned; NULL for our own, where the policy says which */
  gboolean is_own;    /* on ports of our own */
  gboolean is_status; /* for pages alone */
  gboolean is_local;  /* on loopback, for who is on this machine */
  unsigned long started;
} Door;

/* A refused connection whose peer may still be sending. */
typedef struct {
  VtFront *front; /* not owned */
  VtGate *gate;   /* owned */
  VtTimer *timer; /* owned */
} Lingering;

/* A connection on its way through the TLS handshake. */
typedef struct {
  VtFront *front;         /* not owned, not to be followed once the handshake is cancelled */
  Door *door;             /* the front's */
  GSocketAddress *local;  /* owned */
  GSocketAddress *remote; /* owned */
} Arrival;

struct _VtFront {
  VtFrontHandlers handlers;
  void *user_data;
  VtClock *clock;           /* owned */
  VtCounters *counters;     /* owned */
  Door *own;                /* owned: speaks HTTP on our own ports */
  Door *status_local;       /* owned, as are all: pages on loopback */
  Door *status_open;        /* … and elsewhere */
  GPtrArray *attached;      /* owned, of Door */
  GPtrArray *listeners;     /* owned, of VtListener */
  GArray *ports;            /* owned, of guint16 */
  GArray *status_ports;     /* owned, of guint16 */
  GHashTable *lingering;    /* owned, set of Lingering */
  VtTlsAcceptor *acceptor;  /* owned */
  GCancellable *handshakes; /* owned: ends the TLS handshakes */
};

/* The remote address is the one object of ours that comes out of libsoup again with a request; it
 * carries the gate along. */
#define GATE_KEY "vtunnel-gate"
#define GUEST_KEY "vtunnel-guest"

static void
door_clear (void *data)
{
  Door *door = data;

  g_free (door->path);
}

static void
door_unref (void *data)
{
  g_rc_box_release_full (data, door_clear);
}

static void
door_closure_unref (void *data, GClosure *closure)
{
  door_unref (data);
}

static void
door_shut (Door *door)
{
  g_signal_handler_disconnect (door->server, door->started);
  g_clear_object (&door->server);
  door->front = NULL;
  door_unref (door);
}

static void
door_shut_cb (void *data)
{
  door_shut (data);
}

static void
lingering_free (void *data)
{
  Lingering *lingering = data;

  vt_gate_abort (lingering->gate, FALSE);
  g_object_unref (lingering->gate);
  vt_timer_free (lingering->timer);
  g_free (lingering);
}

static void
linger_over_cb (void *user_data)
{
  Lingering *lingering = user_data;

  g_hash_table_remove (lingering->front->lingering, lingering);
}

/* libsoup would read a whole body before it answers, however long. So the connection is taken from
 * it, and answered here. */
static void
refuse_body (VtFront *self, SoupServerMessage *message, const VtUpgradeVerdict *verdict)
{
  GSocketAddress *remote = soup_server_message_get_remote_address (message);
  g_autofree char *answer = vt_upgrade_format_answer (verdict);
  g_autoptr(GIOStream) stolen = NULL;
  Lingering *lingering;
  GOutputStream *output;

  lingering = g_new0 (Lingering, 1);
  lingering->front = self;
  lingering->gate = g_object_steal_data (G_OBJECT (remote), GATE_KEY);
  lingering->timer = vt_timer_new (self->clock, "refused body", linger_over_cb, lingering);
  g_hash_table_add (self->lingering, lingering);
  vt_timer_start (lingering->timer, LINGER);
  vt_gate_set_paused (lingering->gate, TRUE);

  stolen = soup_server_message_steal_connection (message);
  /* Nothing was written before, so that the few bytes fit the socket. If not, so be it. */
  output = g_io_stream_get_output_stream (G_IO_STREAM (lingering->gate));
  g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (output), answer,
                                              strlen (answer), NULL, NULL);
}

static void
wrote_informational_cb (SoupServerMessage *message, Door *door)
{
  g_autoptr(SoupServerMessage) kept = g_object_ref (message);
  g_autoptr(GSocketAddress) remote = NULL;
  g_autoptr(GIOStream) stolen = NULL;
  g_autoptr(VtFrontGuest) guest = g_object_steal_data (G_OBJECT (message), GUEST_KEY);
  VtGate *gate;
  SoupWebsocketConnection *connection;
  const char *origin;
  const char *subprotocol;

  if (soup_server_message_get_status (message) != SOUP_STATUS_SWITCHING_PROTOCOLS)
    return;
  stolen = soup_server_message_steal_connection (message);
  g_set_object (&remote, soup_server_message_get_remote_address (message));
  if (remote == NULL || guest == NULL)
    return;
  gate = g_object_steal_data (G_OBJECT (remote), GATE_KEY);
  /* On the application's server something may stand in libsoup's buffer already; the stolen stream
   * knows of it. */
  if (gate == NULL)
    gate = vt_gate_new (stolen);
  if (door->front == NULL)
    {
      vt_gate_abort (gate, FALSE);
      g_object_unref (gate);
      return;
    }
  origin =
      soup_message_headers_get_one (soup_server_message_get_request_headers (message), "Origin");
  subprotocol = soup_message_headers_get_one (soup_server_message_get_response_headers (message),
                                              VT_NEGOTIATION_FIELD);
  connection =
      soup_websocket_connection_new (G_IO_STREAM (gate), soup_server_message_get_uri (message),
                                     SOUP_WEBSOCKET_CONNECTION_SERVER, origin, subprotocol, NULL);
  door->front->handlers.connected (connection, gate, guest, door->front->user_data);
}

static gboolean
is_for_door (SoupServerMessage *message, Door *door)
{
  if (door->is_own)
    return TRUE;
  return vt_upgrade_is_requested (message)
         && strcmp (g_uri_get_path (soup_server_message_get_uri (message)), door->path) == 0;
}

/* What is left to see when the request as such is good. The guest stays with the message. */
static void
look_at_guest (VtFront *self,
               SoupServerMessage *message,
               unsigned int max_protocol,
               VtUpgradeVerdict *verdict)
{
  g_autoptr(VtFrontGuest) guest = vt_front_guest_new (message, max_protocol);
  const char *refusal;

  if (!self->handlers.recognise (message, guest, verdict, self->user_data))
    return;
  refusal = self->handlers.get_refusal (guest, self->user_data);
  if (refusal != NULL)
    *verdict = (VtUpgradeVerdict){ SOUP_STATUS_SERVICE_UNAVAILABLE, refusal, 0 };
  else
    g_object_set_data_full (G_OBJECT (message), GUEST_KEY, g_steal_pointer (&guest),
                            vt_front_guest_free);
}

static void
refuse (VtFront *self, Door *door, SoupServerMessage *message, const VtUpgradeVerdict *verdict)
{
  if (verdict->status != SOUP_STATUS_OK)
    vt_counters_note_request_refused (self->counters, verdict->status);
  if (vt_upgrade_has_body (message) && door->is_own)
    refuse_body (self, message, verdict);
  else
    vt_upgrade_answer (message, verdict);
}

static VtUpgradeVerdict
check (SoupServerMessage *message, Door *door, const VtFrontPolicy *policy)
{
  if (door->is_status)
    return vt_upgrade_check_rest (message);
  if (door->is_own)
    return vt_upgrade_check_own (message, policy);
  return vt_upgrade_check_attached (message, policy);
}

static void
got_headers_cb (SoupServerMessage *message, Door *door)
{
  VtFront *self = door->front;
  VtUpgradeVerdict verdict = { 0 };
  VtFrontPolicy policy = { 0 };

  /* A status is there when libsoup or the application has decided already. */
  if (self == NULL || soup_server_message_get_status (message) != 0 || !is_for_door (message, door))
    return;
  self->handlers.get_policy (&policy, self->user_data);
  if (door->is_own
      && vt_front_page_serve (message, door->is_local, &policy, &self->handlers, self->user_data,
                              &verdict))
    return;
  if (verdict.status == 0)
    verdict = check (message, door, &policy);
  if (verdict.status == SOUP_STATUS_SWITCHING_PROTOCOLS)
    look_at_guest (self, message, policy.max_protocol, &verdict);

  if (verdict.status != SOUP_STATUS_SWITCHING_PROTOCOLS)
    {
      refuse (self, door, message, &verdict);
      return;
    }
  soup_websocket_server_process_handshake (message, NULL, NULL, NULL, NULL);
  vt_negotiation_select (message, policy.max_protocol);
  g_signal_connect_data (message, "wrote-informational", G_CALLBACK (wrote_informational_cb),
                         g_rc_box_acquire (door), door_closure_unref, 0);
}

static void
request_started_cb (SoupServer *server, SoupServerMessage *message, Door *door)
{
  g_signal_connect_data (message, "got-headers", G_CALLBACK (got_headers_cb),
                         g_rc_box_acquire (door), door_closure_unref, 0);
}

/* Not a handler of SoupServer: that could not be removed without those that the application has at
 * the same path, and would answer for paths below it too. */
static Door *
door_open (VtFront *self, SoupServer *server, const char *path)
{
  Door *door = g_rc_box_new0 (Door);

  door->front = self;
  door->server = g_object_ref (server);
  door->path = g_strdup (path);
  door->is_own = path == NULL;
  door->started =
      g_signal_connect (server, "request-started", G_CALLBACK (request_started_cb), door);
  return door;
}

/* From here on libsoup owns the connection. */
static void
serve (Door *door, GIOStream *stream, GSocketAddress *local, GSocketAddress *remote)
{
  g_autoptr(VtGate) gate = vt_gate_new (stream);
  /* A whole request can be there already, and what comes of it may be the end of the front. */
  g_autoptr(SoupServer) server = g_object_ref (door->server);
  g_autoptr(GError) error = NULL;

  vt_gate_guard_http (gate, MAX_HEAD, HEAD_DEADLINE);
  g_object_set_data_full (G_OBJECT (remote), GATE_KEY, g_object_ref (gate), g_object_unref);
  if (!soup_server_accept_iostream (server, G_IO_STREAM (gate), local, remote, &error))
    g_message ("A connection could not be served: %s", error->message);
}

static void
arrival_free (Arrival *arrival)
{
  g_object_unref (arrival->local);
  g_object_unref (arrival->remote);
  g_free (arrival);
}

static void
keep_certificate (GSocketAddress *remote, GTlsConnection *tls)
{
  GTlsCertificate *certificate = g_tls_connection_get_peer_certificate (tls);

  if (certificate != NULL && g_tls_connection_get_peer_certificate_errors (tls) == 0)
    vt_front_guest_keep_certificate (remote, certificate);
}

static void
tls_accepted_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  Arrival *arrival = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GIOStream) tls = vt_tls_accept_finish (result, &error);

  if (tls != NULL)
    {
      keep_certificate (arrival->remote, G_TLS_CONNECTION (tls));
      serve (arrival->door, tls, arrival->local, arrival->remote);
    }
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      arrival->front->counters->tls_failures++;
      g_debug ("A TLS handshake failed: %s", error->message);
    }
  arrival_free (arrival);
}

static void
accept_for (VtFront *self, Door *door, int fd, GSocketAddress *remote, GSocketAddress *local)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GSocket) socket = g_socket_new_from_fd (fd, &error);
  g_autoptr(GSocketConnection) connection = NULL;
  VtFrontPolicy policy = { 0 };
  Arrival *arrival;

  if (socket == NULL)
    {
      g_message ("A connection could not be taken: %s", error->message);
      close (fd);
      return;
    }
  connection = g_socket_connection_factory_create_connection (socket);
  if (local == NULL)
    {
      g_debug ("A connection was gone before it was taken");
      return;
    }
  self->counters->connections++;
  self->handlers.get_policy (&policy, self->user_data);
  if (policy.tls_certificate == NULL || door->is_local)
    {
      serve (door, G_IO_STREAM (connection), local, remote);
      return;
    }
  arrival = g_new0 (Arrival, 1);
  arrival->front = self;
  arrival->door = door;
  arrival->local = g_object_ref (local);
  arrival->remote = g_object_ref (remote);
  vt_tls_acceptor_set_authorities (self->acceptor, policy.client_authorities);
  vt_tls_accept_async (self->acceptor, G_IO_STREAM (connection), policy.tls_certificate,
                       TLS_DEADLINE, self->handshakes, tls_accepted_cb, arrival);
}

static void
accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  VtFront *self = user_data;

  accept_for (self, self->own, fd, remote, local);
}

static void
status_local_accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  VtFront *self = user_data;

  accept_for (self, self->status_local, fd, remote, local);
}

static void
status_open_accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  VtFront *self = user_data;

  accept_for (self, self->status_open, fd, remote, local);
}

static Door *
open_own (VtFront *self)
{
  g_autoptr(SoupServer) server = soup_server_new ("server-header", "vtunnel", NULL);

  /* On by default, and 100 KB become 100 MB with it. */
  soup_server_remove_websocket_extension (server, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);
  return door_open (self, server, NULL);
}

static Door *
open_status (VtFront *self, gboolean is_local)
{
  Door *door = open_own (self);

  door->is_status = TRUE;
  door->is_local = is_local;
  return door;
}

VtFront *
vt_front_new (const VtFrontHandlers *handlers, void *user_data)
{
  VtFront *self = g_new0 (VtFront, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->clock = vt_clock_get (NULL);
  self->counters = vt_counters_new ();
  self->own = open_own (self);
  self->attached = g_ptr_array_new_with_free_func (door_shut_cb);
  self->listeners = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_listener_free);
  self->ports = g_array_new (FALSE, FALSE, sizeof (guint16));
  self->status_ports = g_array_new (FALSE, FALSE, sizeof (guint16));
  self->lingering = g_hash_table_new_full (NULL, NULL, lingering_free, NULL);
  self->acceptor = vt_tls_acceptor_new (self->clock);
  self->handshakes = g_cancellable_new ();
  return self;
}

void
vt_front_free (VtFront *self)
{
  vt_front_stop (self);
  door_shut (self->own);
  g_clear_pointer (&self->status_local, door_shut);
  g_clear_pointer (&self->status_open, door_shut);
  vt_counters_unref (self->counters);
  g_ptr_array_unref (self->attached);
  g_ptr_array_unref (self->listeners);
  g_array_unref (self->ports);
  g_array_unref (self->status_ports);
  g_hash_table_unref (self->lingering);
  g_object_unref (self->handshakes);
  vt_tls_acceptor_unref (self->acceptor);
  vt_clock_unref (self->clock);
  g_free (self);
}

void
vt_front_set_counters (VtFront *self, VtCounters *counters)
{
  vt_counters_unref (self->counters);
  self->counters = vt_counters_ref (counters);
}

/* Takes the listener, and fails without one. */
static gboolean
add_listener (VtFront *self, VtListener *listener, GArray *ports)
{
  guint16 bound;

  if (listener == NULL)
    return FALSE;
  bound = vt_listener_get_port (listener);
  g_ptr_array_add (self->listeners, listener);
  g_array_append_val (ports, bound);
  return TRUE;
}

static gboolean
check_place (VtFront *self, const char *address, GError **error)
{
  VtFrontPolicy policy = { 0 };
  g_autofree char *escaped = NULL;

  self->handlers.get_policy (&policy, self->user_data);
  if (policy.allow_anonymous || policy.asks_who || vt_loopback_is_address (address))
    return TRUE;
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("Not listening on %s: everybody who reaches it could open ports here. Set"
                  " access to say who may, or allow-anonymous if that is what you want, or"
                  " listen on localhost"),
               escaped);
  return FALSE;
}

gboolean
vt_front_listen (VtFront *self, const char *address, guint16 port, GError **error)
{
  return check_place (self, address, error)
         && add_listener (self, vt_listener_new (address, port, accepted_cb, self, error),
                          self->ports);
}

gboolean
vt_front_listen_socket (VtFront *self, int fd, GError **error)
{
  g_autoptr(VtListener) listener = vt_listener_new_for_socket (fd, accepted_cb, self, error);

  return listener != NULL && check_place (self, vt_listener_get_address (listener), error)
         && add_listener (self, g_steal_pointer (&listener), self->ports);
}

gboolean
vt_front_listen_status (VtFront *self, const char *address, guint16 port, GError **error)
{
  VtFrontPolicy policy = { 0 };
  gboolean is_local = vt_loopback_is_address (address);
  Door **door = is_local ? &self->status_local : &self->status_open;

  self->handlers.get_policy (&policy, self->user_data);
  if (!policy.asks_who && !is_local)
    {
      g_autofree char *escaped = vt_text_escape (address, -1);

      g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                   _ ("Not showing the status on %s: everybody who reaches it could read it. Set"
                      " access to say who may, or listen on localhost"),
                   escaped);
      return FALSE;
    }
  if (*door == NULL)
    *door = open_status (self, is_local);
  return add_listener (
      self,
      vt_listener_new (address, port, is_local ? status_local_accepted_cb : status_open_accepted_cb,
                       self, error),
      self->status_ports);
}

GArray *
vt_front_get_status_ports (VtFront *self)
{
  return self->status_ports;
}

GArray *
vt_front_get_ports (VtFront *self)
{
  return self->ports;
}

void
vt_front_attach (VtFront *self, SoupServer *server, const char *path)
{
  g_ptr_array_add (self->attached, door_open (self, server, path));
}

void
vt_front_stop (VtFront *self)
{
  g_ptr_array_set_size (self->listeners, 0);
  g_array_set_size (self->ports, 0);
  g_array_set_size (self->status_ports, 0);
  g_ptr_array_set_size (self->attached, 0);
  g_hash_table_remove_all (self->lingering);
  /* A cancelled one cannot be used again, and the front can listen anew. */
  g_cancellable_cancel (self->handshakes);
  g_object_unref (self->handshakes);
  self->handshakes = g_cancellable_new ();
  soup_server_disconnect (self->own->server);
  if (self->status_local != NULL)
    soup_server_disconnect (self->status_local->server);
  if (self->status_open != NULL)
    soup_server_disconnect (self->status_open->server);
}
