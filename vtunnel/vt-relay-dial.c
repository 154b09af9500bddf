/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-dial-private.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>

#include "vt-clock-private.h"
#include "vt-error.h"
#include "vt-listener-private.h"
#include "vt-relay-connect-private.h"
#include "vt-socket-private.h"
#include "vt-target-private.h"

struct _VtRelayDial {
  VtTarget *target;              /* owned */
  GTlsDatabase *trust;           /* owned, nullable */
  GBytes *preamble;              /* owned, nullable */
  gint64 timeout;                /* microseconds */
  GSocketConnection *connection; /* owned; NULL until it stands */
  GIOStream *tls;                /* owned; NULL until there is TLS */
  VtRelayConnect *connect;       /* owned; NULL unless it does without GIO */
  GCancellable *cancellable;     /* owned; NULL without GIO */
  VtTimer *timer;                /* owned */
  VtDialQuota *quota;            /* not owned; NULL unless it has a place there */
  VtRelayDialFunc func;          /* NULL once it was called or is not wanted any more */
  void *user_data;               /* the caller's */
  gboolean pending;              /* GIO works for this dial, and its callback will come */
  gboolean timed_out;
  gboolean freed;       /* by the caller; goes when nothing is pending */
  gboolean handed_over; /* the caller has the connection */
};

static void
dial_destroy (VtRelayDial *self)
{
  vt_timer_free (self->timer);
  vt_target_unref (self->target);
  /* By itself and first: TLS that is disposed of would try to say goodbye, and block. */
  if (self->connection != NULL && !self->handed_over)
    g_socket_close (g_socket_connection_get_socket (self->connection), NULL);
  g_clear_object (&self->trust);
  g_clear_pointer (&self->preamble, g_bytes_unref);
  g_clear_pointer (&self->connect, vt_relay_connect_free);
  g_clear_object (&self->tls);
  g_clear_object (&self->connection);
  g_clear_object (&self->cancellable);
  g_free (self);
}

static void
enter_quota (VtRelayDial *self, VtDialQuota *quota)
{
  self->quota = quota;
  if (quota != NULL)
    quota->n++;
}

static void
leave_quota (VtRelayDial *self)
{
  if (self->quota != NULL)
    self->quota->n--;
  self->quota = NULL;
}

static VtError
code_of (VtRelayDial *self, const GError *error)
{
  if (self->timed_out)
    return VT_ERROR_TIMED_OUT;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return VT_ERROR_TARGET_REFUSED;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return VT_ERROR_TIMED_OUT;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES))
    return VT_ERROR_LIMIT;
  if (error->domain == G_TLS_ERROR)
    return VT_ERROR_TLS;
  return VT_ERROR_TARGET_UNREACHABLE;
}

static void
report (VtRelayDial *self, int fd, GIOStream *connection, const GError *error)
{
  VtRelayDialFunc func = g_steal_pointer (&self->func);

  vt_timer_stop (self->timer);
  leave_quota (self);
  self->handed_over = connection != NULL;
  if (func != NULL)
    func (fd, connection, error, self->user_data);
}

static void
fail (VtRelayDial *self, const GError *platform_error)
{
  g_autoptr(GError) error = NULL;

  error = g_error_new_literal (VT_ERROR, code_of (self, platform_error),
                               self->timed_out ? _ ("The target did not answer in time")
                                               : platform_error->message);
  report (self, -1, NULL, error);
}

/* An operation of GIO is over. FALSE if nobody is interested any more, and `self` is gone. */
static gboolean
end_operation (VtRelayDial *self)
{
  self->pending = FALSE;
  if (!self->freed)
    return TRUE;
  dial_destroy (self);
  return FALSE;
}

static void
handshake_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VtRelayDial *self = user_data;
  g_autoptr(GError) error = NULL;
  gboolean done = g_tls_connection_handshake_finish (G_TLS_CONNECTION (source), result, &error);

  if (!end_operation (self))
    return;
  if (done)
    report (self, -1, self->tls, NULL);
  else
    fail (self, error);
}

static void
start_tls (VtRelayDial *self)
{
  g_autoptr(GSocketConnectable) identity = NULL;
  g_autoptr(GError) error = NULL;

  identity =
      g_network_address_new (vt_target_get_host (self->target), vt_target_get_port (self->target));
  self->tls = g_tls_client_connection_new (G_IO_STREAM (self->connection), identity, &error);
  if (self->tls == NULL)
    {
      fail (self, error);
      return;
    }

  if (self->trust != NULL)
    g_tls_connection_set_database (G_TLS_CONNECTION (self->tls), self->trust);
  /* Many servers end without TLS's own goodbye. What travels here says itself how long it is. */
  g_tls_connection_set_require_close_notify (G_TLS_CONNECTION (self->tls), FALSE);
  self->pending = TRUE;
  g_tls_connection_handshake_async (G_TLS_CONNECTION (self->tls), G_PRIORITY_DEFAULT,
                                    self->cancellable, handshake_cb, self);
}

static void
go_on (VtRelayDial *self)
{
  if (vt_target_get_kind (self->target) == VT_TARGET_TLS)
    start_tls (self);
  else
    report (self, -1, G_IO_STREAM (self->connection), NULL);
}

static void
preamble_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VtRelayDial *self = user_data;
  g_autoptr(GError) error = NULL;
  gboolean done = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error);

  if (!end_operation (self))
    return;
  if (done)
    go_on (self);
  else
    fail (self, error);
}

static void
send_preamble (VtRelayDial *self)
{
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (self->connection));
  size_t length;
  const void *data = g_bytes_get_data (self->preamble, &length);

  self->pending = TRUE;
  g_output_stream_write_all_async (output, data, length, G_PRIORITY_DEFAULT, self->cancellable,
                                   preamble_cb, self);
}

static void
connect_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  VtRelayDial *self = user_data;
  g_autoptr(GError) error = NULL;

  self->connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);
  if (!end_operation (self))
    return;
  if (self->connection == NULL)
    fail (self, error);
  else if (self->preamble != NULL)
    send_preamble (self);
  else
    go_on (self);
}

/* A socket that is new takes it all: the least that systems give it room for is 2 KiB. */
static gboolean
send_preamble_to (VtRelayDial *self, int fd, GError **error)
{
  size_t length = g_bytes_get_size (self->preamble);
  gssize n = vt_socket_write (fd, g_bytes_get_data (self->preamble, NULL), length, error);

  if (n >= 0 && (size_t) n < length)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         _ ("The target takes no PROXY header"));
  return n >= 0 && (size_t) n == length;
}

static void
connected_cb (int fd, const GError *connect_error, void *user_data)
{
  VtRelayDial *self = user_data;
  g_autoptr(GError) error = NULL;

  if (fd < 0)
    fail (self, connect_error);
  else if (self->preamble == NULL || send_preamble_to (self, fd, &error))
    report (self, fd, NULL, NULL);
  else
    {
      close (fd);
      fail (self, error);
    }
}

static void
refuse (VtRelayDial *self, const char *message)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, message);

  report (self, -1, NULL, error);
}

/* What has to be looked up, and what TLS comes to, is GIO's. */
static void
start_client (VtRelayDial *self)
{
  g_autoptr(GSocketConnectable) connectable = NULL;
  g_autoptr(GSocketClient) client = NULL;

  self->cancellable = g_cancellable_new ();
  connectable = vt_target_get_connectable (self->target);
  client = g_socket_client_new ();
  /* A desktop's proxy must never capture a local target. */
  g_socket_client_set_enable_proxy (client, FALSE);
  self->pending = TRUE;
  g_socket_client_connect_async (client, connectable, self->cancellable, connect_cb, self);
}

static void
timed_out_cb (void *user_data)
{
  VtRelayDial *self = user_data;

  self->timed_out = TRUE;
  if (self->pending)
    g_cancellable_cancel (self->cancellable);
  else
    fail (self, NULL);
}

VtRelayDial *
vt_relay_dial_new (VtTarget *target,
                   GTlsDatabase *trust,
                   GBytes *preamble,
                   gint64 timeout,
                   VtRelayDialFunc func,
                   void *user_data)
{
  VtRelayDial *self = g_new0 (VtRelayDial, 1);
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  self->target = vt_target_ref (target);
  g_set_object (&self->trust, trust);
  self->preamble = preamble != NULL ? g_bytes_ref (preamble) : NULL;
  self->timeout = timeout;
  self->timer = vt_timer_new (clock, "target dial", timed_out_cb, self);
  self->func = func;
  self->user_data = user_data;
  return self;
}

void
vt_relay_dial_start (VtRelayDial *self, VtDialQuota *quota)
{
  if (quota != NULL && quota->n >= quota->max)
    {
      refuse (self, _ ("Too many connections to targets are being opened at once"));
      return;
    }
  if (!vt_listener_may_take_descriptor ())
    {
      refuse (self, _ ("Too many connections are open in this process"));
      return;
    }
  enter_quota (self, quota);
  vt_timer_start (self->timer, self->timeout);
  if (vt_target_get_kind (self->target) != VT_TARGET_TLS)
    self->connect = vt_relay_connect_new (self->target, connected_cb, self);
  if (self->connect != NULL)
    vt_relay_connect_start (self->connect);
  else
    start_client (self);
}

void
vt_relay_dial_free (VtRelayDial *self)
{
  self->func = NULL;
  self->freed = TRUE;
  vt_timer_stop (self->timer);
  leave_quota (self);
  if (self->pending)
    g_cancellable_cancel (self->cancellable);
  else
    dial_destroy (self);
}
