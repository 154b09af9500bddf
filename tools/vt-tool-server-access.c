/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-server-access.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

struct _VtToolAccess {
  VtAccess *access; /* owned */
  GSource *hangup;  /* owned */
};

static void
changed_cb (VtAccess *access, void *user_data)
{
  g_auto(GStrv) names = vt_access_list_names (access);

  g_message (_ ("The access file was read again, clients in it: %u"), g_strv_length (names));
}

static void
reload_failed_cb (VtAccess *access, const GError *error, void *user_data)
{
  g_message (_ ("%s. What was read before stays in force"), error->message);
}

static gboolean
hangup_cb (void *user_data)
{
  VtToolAccess *self = user_data;
  g_autoptr(GError) error = NULL;

  if (!vt_access_reload (self->access, &error))
    reload_failed_cb (self->access, error, self);
  return G_SOURCE_CONTINUE;
}

VtToolAccess *
vt_tool_access_new (VtAccess *access)
{
  VtToolAccess *self;

  if (access == NULL)
    return NULL;
  self = g_new0 (VtToolAccess, 1);
  self->access = g_object_ref (access);
  g_signal_connect (access, "changed", G_CALLBACK (changed_cb), self);
  g_signal_connect (access, "reload-failed", G_CALLBACK (reload_failed_cb), self);
  self->hangup = g_unix_signal_source_new (SIGHUP);
  g_source_set_static_name (self->hangup, "vtunnel-tool: reload");
  g_source_set_callback (self->hangup, hangup_cb, self, NULL);
  g_source_attach (self->hangup, g_main_context_get_thread_default ());
  return self;
}

void
vt_tool_access_free (VtToolAccess *self)
{
  if (self == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->access, self);
  g_source_destroy (self->hangup);
  g_source_unref (self->hangup);
  g_object_unref (self->access);
  g_free (self);
}
