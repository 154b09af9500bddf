/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-server-tls.h"

#include <glib/gi18n.h>

#include "vt-tool-options.h"

/* Both files are written one after the other. */
#define SETTLE_MS 500

struct _VtToolTls {
  VtServer *server;          /* owned */
  char *files[2];            /* owned: the certificate, and its key */
  GFileMonitor *monitors[2]; /* owned, nullable */
  GSource *settled;          /* owned; NULL while nothing has changed */
};

GTlsCertificate *
vt_tool_tls_load (const char *certificate, const char *key, GError **error)
{
  GTlsCertificate *loaded;

  if (!vt_tool_options_check_file ("--tls-certificate", certificate, error)
      || !vt_tool_options_check_file ("--tls-key", key, error))
    return NULL;
  loaded = g_tls_certificate_new_from_files (certificate, key, error);
  if (loaded == NULL)
    g_prefix_error (error, _ ("No certificate and key in %s and %s: "), certificate, key);
  return loaded;
}

static void
forget_settled (VtToolTls *self)
{
  if (self->settled == NULL)
    return;
  g_source_destroy (self->settled);
  g_clear_pointer (&self->settled, g_source_unref);
}

void
vt_tool_tls_reload (VtToolTls *self)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GTlsCertificate) certificate = NULL;

  if (self == NULL)
    return;
  forget_settled (self);
  certificate = vt_tool_tls_load (self->files[0], self->files[1], &error);
  if (certificate == NULL)
    {
      g_message (_ ("%s. What was read before stays in force"), error->message);
      return;
    }
  vt_server_set_tls_certificate (self->server, certificate);
  g_message (_ ("The certificate was read again"));
}

static gboolean
settled_cb (void *user_data)
{
  vt_tool_tls_reload (user_data);
  return G_SOURCE_REMOVE;
}

static void
file_changed_cb (GFileMonitor *monitor,
                 GFile *file,
                 GFile *other,
                 GFileMonitorEvent event,
                 VtToolTls *self)
{
  forget_settled (self);
  self->settled = g_timeout_source_new (SETTLE_MS);
  g_source_set_static_name (self->settled, "vtunnel-tool: certificate");
  g_source_set_callback (self->settled, settled_cb, self, NULL);
  g_source_attach (self->settled, g_main_context_get_thread_default ());
}

static GFileMonitor *
watch (VtToolTls *self, const char *path)
{
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autoptr(GError) error = NULL;
  GFileMonitor *monitor = g_file_monitor_file (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);

  if (monitor == NULL)
    {
      g_message (_ ("%s is not watched, and read again at SIGHUP only: %s"), path, error->message);
      return NULL;
    }
  g_signal_connect (monitor, "changed", G_CALLBACK (file_changed_cb), self);
  return monitor;
}

VtToolTls *
vt_tool_tls_new (VtServer *server, const char *certificate, const char *key)
{
  VtToolTls *self;

  if (certificate == NULL)
    return NULL;
  self = g_new0 (VtToolTls, 1);
  self->server = g_object_ref (server);
  self->files[0] = g_strdup (certificate);
  self->files[1] = g_strdup (key);
  for (size_t i = 0; i < G_N_ELEMENTS (self->files); i++)
    self->monitors[i] = watch (self, self->files[i]);
  return self;
}

void
vt_tool_tls_free (VtToolTls *self)
{
  if (self == NULL)
    return;
  forget_settled (self);
  for (size_t i = 0; i < G_N_ELEMENTS (self->files); i++)
    {
      if (self->monitors[i] != NULL)
        {
          g_signal_handlers_disconnect_by_data (self->monitors[i], self);
          g_file_monitor_cancel (self->monitors[i]);
        }
      g_clear_object (&self->monitors[i]);
      g_free (self->files[i]);
    }
  g_object_unref (self->server);
  g_free (self);
}
