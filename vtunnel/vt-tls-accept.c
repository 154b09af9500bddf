/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tls-accept-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-poller-private.h"
#include "vt-socket-private.h"

struct _VtTlsAcceptor {
  VtClock *clock;            /* owned */
  GQueue *waiting;           /* owned, of Handshake, whose tasks it keeps */
  GQueue *running;           /* owned, of Handshake, the oldest first */
  VtTimer *turn;             /* owned: when the oldest of the running has had its time */
  GTlsDatabase *authorities; /* owned, nullable */
};

typedef struct {
  VtTlsAcceptor *acceptor;      /* owned */
  GTask *task;                  /* borrowed; whatever goes on keeps it */
  GIOStream *base;              /* owned */
  GTlsCertificate *certificate; /* owned */
  GTlsDatabase *authorities;    /* owned, nullable: of clients */
  GIOStream *tls;               /* owned, NULL before it runs */
  VtWatch *watch;               /* owned, NULL once the peer has begun to speak */
  VtTimer *timer;               /* owned: the deadline */
  GCancellable *abort;          /* owned: ends the handshake, for all who may */
  GCancellable *outer;          /* owned, nullable: the caller's */
  unsigned long chained;        /* the handler on `outer` */
  gint64 began;
  gboolean late;
} Handshake;

static void
acceptor_clear (void *data)
{
  VtTlsAcceptor *self = data;

  g_clear_object (&self->authorities);
  g_queue_free (self->waiting);
  g_queue_free (self->running);
  vt_timer_free (self->turn);
  vt_clock_unref (self->clock);
}

/* It has a result, and nobody may end it any more. */
static void
settle (Handshake *handshake)
{
  vt_timer_stop (handshake->timer);
  if (handshake->outer != NULL)
    g_cancellable_disconnect (handshake->outer, handshake->chained);
  g_clear_object (&handshake->outer);
}

static void
handshake_free (void *data)
{
  Handshake *handshake = data;

  settle (handshake);
  vt_timer_free (handshake->timer);
  g_clear_pointer (&handshake->watch, vt_watch_free);
  g_object_unref (handshake->abort);
  g_clear_object (&handshake->tls);
  g_object_unref (handshake->base);
  g_object_unref (handshake->certificate);
  g_clear_object (&handshake->authorities);
  vt_tls_acceptor_unref (handshake->acceptor);
  g_free (handshake);
}

static void
fail_late (GTask *task)
{
  g_task_return_new_error (task, VT_ERROR, VT_ERROR_TIMED_OUT,
                           _ ("The TLS handshake took too long"));
}

static void run_next (VtTlsAcceptor *self);

/* GnuTLS knows older ones, and GLib has no way to keep it from them. */
static gboolean
check_version (GTlsConnection *connection, GError **error)
{
  if (g_tls_connection_get_protocol_version (connection) >= G_TLS_PROTOCOL_VERSION_TLS_1_2)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_TLS,
                       _ ("The client speaks no TLS of version 1.2 or later"));
  return FALSE;
}

static void
handshake_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  Handshake *handshake = g_task_get_task_data (task);
  GError *error = NULL;

  settle (handshake);
  g_queue_remove (handshake->acceptor->running, handshake);
  run_next (handshake->acceptor);
  if (g_tls_connection_handshake_finish (G_TLS_CONNECTION (source), result, &error)
      && check_version (G_TLS_CONNECTION (source), &error))
    g_task_return_pointer (task, g_steal_pointer (&handshake->tls), g_object_unref);
  else if (handshake->late)
    {
      g_clear_error (&error);
      fail_late (task);
    }
  else
    g_task_return_error (task, error);
}

/* Takes the reference on the task. */
/* Without a database of authorities where no client is asked for a certificate. The default one
 * would be read anew, 4 MiB of it, for each connection and before its first byte. */
static GIOStream *
tls_new (GIOStream *base, GTlsCertificate *certificate, GTlsDatabase *authorities, GError **error)
{
  GTlsBackend *backend = g_tls_backend_get_default ();

  return g_initable_new (
      g_tls_backend_get_server_connection_type (backend), NULL, error, "base-io-stream", base,
      "certificate", certificate, "database", authorities, "authentication-mode",
      authorities != NULL ? G_TLS_AUTHENTICATION_REQUESTED : G_TLS_AUTHENTICATION_NONE, NULL);
}

/* On a server, GIO asks for each certificate that a client shows, also for a good one. */
static gboolean
accept_certificate_cb (GTlsConnection *connection,
                       GTlsCertificate *certificate,
                       GTlsCertificateFlags errors,
                       void *user_data)
{
  return errors == 0;
}

static void
run (Handshake *handshake)
{
  static const char *const protocols[] = { "http/1.1", NULL };
  VtTlsAcceptor *self = handshake->acceptor;
  g_autoptr(GTask) task = handshake->task;
  GError *error = NULL;

  handshake->tls =
      tls_new (handshake->base, handshake->certificate, handshake->authorities, &error);
  if (handshake->tls == NULL)
    {
      settle (handshake);
      g_task_return_error (task, error);
      return;
    }
  /* Many a client ends without saying so, and what matters says for itself where it ends. */
  g_tls_connection_set_require_close_notify (G_TLS_CONNECTION (handshake->tls), FALSE);
  g_tls_connection_set_advertised_protocols (G_TLS_CONNECTION (handshake->tls), protocols);
  if (handshake->authorities != NULL)
    g_signal_connect (handshake->tls, "accept-certificate", G_CALLBACK (accept_certificate_cb),
                      NULL);
  handshake->began = vt_clock_get_time (self->clock);
  g_queue_push_tail (self->running, handshake);
  g_tls_connection_handshake_async (G_TLS_CONNECTION (handshake->tls), G_PRIORITY_DEFAULT,
                                    handshake->abort, handshake_cb, g_steal_pointer (&task));
}

static void
run_next (VtTlsAcceptor *self)
{
  g_autoptr(VtTlsAcceptor) alive = g_rc_box_acquire (self);
  Handshake *oldest;

  while (self->running->length < VT_TLS_MAX_RUNNING && self->waiting->length > 0)
    run (g_queue_pop_head (self->waiting));

  oldest = g_queue_peek_head (self->running);
  if (self->waiting->length == 0)
    vt_timer_stop (self->turn);
  else if (oldest != NULL)
    vt_timer_start (self->turn,
                    MAX (0, oldest->began + VT_TLS_TURN - vt_clock_get_time (self->clock)));
}

static void
end_running (Handshake *handshake)
{
  handshake->late = TRUE;
  g_cancellable_cancel (handshake->abort);
}

static void
turn_over_cb (void *user_data)
{
  VtTlsAcceptor *self = user_data;
  gint64 now = vt_clock_get_time (self->clock);
  unsigned int n_ended = 0;

  /* No more of them than there are to take their places; what comes of it starts the timer anew. */
  for (GList *link = self->running->head; link != NULL; link = link->next)
    {
      Handshake *handshake = link->data;

      if (n_ended < self->waiting->length && handshake->began + VT_TLS_TURN <= now)
        {
          end_running (handshake);
          n_ended++;
        }
    }
}

/* Out of time, or cancelled; in the latter case the task says so by itself. */
static void
late_cb (void *user_data)
{
  Handshake *handshake = user_data;
  VtTlsAcceptor *self = handshake->acceptor;
  g_autoptr(GTask) task = NULL;

  if (handshake->tls != NULL)
    {
      end_running (handshake);
      return;
    }
  task = handshake->task;
  settle (handshake);
  g_clear_pointer (&handshake->watch, vt_watch_free);
  g_queue_remove (self->waiting, handshake);
  fail_late (task);
}

/* Nothing can be taken down here: the cancellable waits for its handlers. */
static void
cancelled_cb (GCancellable *outer, void *user_data)
{
  vt_timer_start (((Handshake *) user_data)->timer, 0);
}

static void
wait_for_turn (Handshake *handshake)
{
  g_queue_push_tail (handshake->acceptor->waiting, handshake);
  run_next (handshake->acceptor);
}

static void
speaks_cb (GIOCondition condition, void *user_data)
{
  Handshake *handshake = user_data;

  g_clear_pointer (&handshake->watch, vt_watch_free);
  wait_for_turn (handshake);
}

VtTlsAcceptor *
vt_tls_acceptor_new (VtClock *clock)
{
  VtTlsAcceptor *self = g_rc_box_new0 (VtTlsAcceptor);

  self->clock = vt_clock_ref (clock);
  self->waiting = g_queue_new ();
  self->running = g_queue_new ();
  self->turn = vt_timer_new (clock, "TLS turn", turn_over_cb, self);
  return self;
}

void
vt_tls_acceptor_unref (VtTlsAcceptor *self)
{
  g_rc_box_release_full (self, acceptor_clear);
}

void
vt_tls_acceptor_set_authorities (VtTlsAcceptor *self, GTlsDatabase *authorities)
{
  g_set_object (&self->authorities, authorities);
}

void
vt_tls_accept_async (VtTlsAcceptor *self,
                     GIOStream *base,
                     GTlsCertificate *certificate,
                     gint64 deadline,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     void *user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  g_autoptr(GSocket) socket = vt_socket_find (base);
  Handshake *handshake = g_new0 (Handshake, 1);

  g_task_set_source_tag (task, vt_tls_accept_async);
  g_task_set_task_data (task, handshake, handshake_free);
  handshake->acceptor = g_rc_box_acquire (self);
  handshake->task = task;
  handshake->base = g_object_ref (base);
  handshake->certificate = g_object_ref (certificate);
  g_set_object (&handshake->authorities, self->authorities);
  handshake->abort = g_cancellable_new ();
  handshake->timer = vt_timer_new (self->clock, "TLS handshake", late_cb, handshake);
  vt_timer_start (handshake->timer, deadline);

  /* Whoever says nothing takes no turn from others. */
  if (socket != NULL)
    handshake->watch =
        vt_watch_new (poller, g_socket_get_fd (socket), G_IO_IN, speaks_cb, handshake, NULL);
  if (cancellable != NULL)
    {
      handshake->outer = g_object_ref (cancellable);
      handshake->chained =
          g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), handshake, NULL);
    }
  if (handshake->watch == NULL)
    wait_for_turn (handshake);
}

GIOStream *
vt_tls_accept_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
