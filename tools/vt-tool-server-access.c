/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-server-access.h"

#include <glib/gi18n.h>

struct _VtToolAccess {
  VtAccess *access; /* owned */
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

void
vt_tool_access_reload (VtToolAccess *self)
{
  g_autoptr(GError) error = NULL;

  if (self != NULL && !vt_access_reload (self->access, &error))
    reload_failed_cb (self->access, error, self);
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
  return self;
}

void
vt_tool_access_free (VtToolAccess *self)
{
  if (self == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->access, self);
  g_object_unref (self->access);
  g_free (self);
}
