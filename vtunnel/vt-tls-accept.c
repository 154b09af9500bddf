/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tls-accept-private.h"

#include <glib/gi18n-lib.h>
#include <vtunnel/vt-error.h>

#include "vt-clock-private.h"

typedef struct {
  GIOStream *tls;         /* owned */
  VtTimer *timer;         /* owned: the deadline */
  GCancellable *deadline; /* owned: ends the handshake, for the timer and for the caller */
  GCancellable *outer;    /* owned, nullable: the caller's */
  unsigned long chained;  /* the handler on `outer` */
  gboolean late;
} Handshake;

static void
handshake_free (void *data)
{
  Handshake *handshake = data;

  if (handshake->outer != NULL)
    g_cancellable_disconnect (handshake->outer, handshake->chained);
  g_clear_object (&handshake->outer);
  vt_timer_free (handshake->timer);
  g_object_unref (handshake->deadline);
  g_clear_object (&handshake->tls);
  g_free (handshake);
}

static void
late_cb (void *user_data)
{
  Handshake *handshake = user_data;

  handshake->late = TRUE;
  g_cancellable_cancel (handshake->deadline);
}

static void
chain_cb (GCancellable *outer, void *user_data)
{
  g_cancellable_cancel (user_data);
}

static void
handshake_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(GTask) task = user_data;
  Handshake *handshake = g_task_get_task_data (task);
  GError *error = NULL;

  vt_timer_stop (handshake->timer);
  if (g_tls_connection_handshake_finish (G_TLS_CONNECTION (source), result, &error))
    {
      g_task_return_pointer (task, g_steal_pointer (&handshake->tls), g_object_unref);
      return;
    }
  if (handshake->late)
    {
      g_clear_error (&error);
      error =
          g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("The TLS handshake took too long"));
    }
  g_task_return_error (task, error);
}

/* Without a database of authorities, since no client is asked for a certificate. The default one
 * would be read anew, 4 MiB of it, for each connection and before its first byte. */
static GIOStream *
tls_new (GIOStream *base, GTlsCertificate *certificate, GError **error)
{
  GTlsBackend *backend = g_tls_backend_get_default ();

  return g_initable_new (g_tls_backend_get_server_connection_type (backend), NULL, error,
                         "base-io-stream", base, "certificate", certificate, "database", NULL,
                         NULL);
}

void
vt_tls_accept_async (GIOStream *base,
                     GTlsCertificate *certificate,
                     gint64 deadline,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     void *user_data)
{
  static const char *const protocols[] = { "http/1.1", NULL };
  g_autoptr(GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  Handshake *handshake;
  GIOStream *tls;
  GError *error = NULL;

  g_task_set_source_tag (task, vt_tls_accept_async);
  tls = tls_new (base, certificate, &error);
  if (tls == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  /* Many a client ends without saying so, and what matters says for itself where it ends. */
  g_tls_connection_set_require_close_notify (G_TLS_CONNECTION (tls), FALSE);
  g_tls_connection_set_advertised_protocols (G_TLS_CONNECTION (tls), protocols);

  handshake = g_new0 (Handshake, 1);
  handshake->tls = tls;
  handshake->deadline = g_cancellable_new ();
  handshake->timer = vt_timer_new (clock, "TLS handshake", late_cb, handshake);
  g_task_set_task_data (task, handshake, handshake_free);
  if (cancellable != NULL)
    {
      handshake->outer = g_object_ref (cancellable);
      handshake->chained =
          g_cancellable_connect (cancellable, G_CALLBACK (chain_cb),
                                 g_object_ref (handshake->deadline), g_object_unref);
    }
  vt_timer_start (handshake->timer, deadline);
  g_tls_connection_handshake_async (G_TLS_CONNECTION (tls), G_PRIORITY_DEFAULT, handshake->deadline,
                                    handshake_cb, g_steal_pointer (&task));
}

GIOStream *
vt_tls_accept_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
