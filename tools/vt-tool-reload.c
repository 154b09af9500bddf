/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-reload.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

struct _VtToolReload {
  VtToolRun *run; /* not owned */
  VtToolReloadHandlers handlers;
  void *user_data; /* the caller's */
  GSource *hangup; /* owned */
};

static void
tell_fault (VtToolReload *self, const GError *error)
{
  JsonBuilder *event = vt_tool_event_begin ("error");

  g_message (_ ("%s. What was read before stays in force"), error->message);
  vt_tool_event_add_reason (event, error);
  vt_tool_events_send (vt_tool_run_get_events (self->run), event);
}

static gboolean
hangup_cb (void *user_data)
{
  VtToolReload *self = user_data;
  VtToolService *service = vt_tool_run_get_service (self->run);
  g_autoptr(GError) error = NULL;

  if (vt_tool_run_is_ending (self->run))
    return G_SOURCE_CONTINUE;
  vt_tool_service_note_reloading (service);
  if (self->handlers.read (self->user_data, &error))
    vt_tool_events_send (vt_tool_run_get_events (self->run), vt_tool_event_begin ("reloaded"));
  else
    tell_fault (self, error);
  vt_tool_service_note_reloaded (service);
  return G_SOURCE_CONTINUE;
}

VtToolReload *
vt_tool_reload_new (VtToolRun *run, const VtToolReloadHandlers *handlers, void *user_data)
{
  VtToolReload *self = g_new0 (VtToolReload, 1);

  self->run = run;
  self->handlers = *handlers;
  self->user_data = user_data;
  self->hangup = g_unix_signal_source_new (SIGHUP);
  g_source_set_static_name (self->hangup, "vtunnel-tool: reload");
  g_source_set_callback (self->hangup, hangup_cb, self, NULL);
  g_source_attach (self->hangup, g_main_context_get_thread_default ());
  return self;
}

void
vt_tool_reload_free (VtToolReload *self)
{
  if (self == NULL)
    return;
  g_source_destroy (self->hangup);
  g_source_unref (self->hangup);
  g_free (self);
}

static gboolean
can_be_copied (const GParamSpec *pspec)
{
  return (pspec->flags & G_PARAM_READWRITE) == G_PARAM_READWRITE
         && (pspec->flags & G_PARAM_CONSTRUCT_ONLY) == 0;
}

void
vt_tool_reload_copy_properties (GObject *draft, GObject *object)
{
  unsigned int n = 0;
  g_autofree GParamSpec **pspecs = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (unsigned int i = 0; i < n; i++)
    {
      g_auto(GValue) value = G_VALUE_INIT;
      g_auto(GValue) old = G_VALUE_INIT;

      if (!can_be_copied (pspecs[i]))
        continue;
      g_object_get_property (draft, pspecs[i]->name, &value);
      g_object_get_property (object, pspecs[i]->name, &old);
      if (g_param_values_cmp (pspecs[i], &value, &old) != 0)
        g_object_set_property (object, pspecs[i]->name, &value);
    }
}

void
vt_tool_reload_tell_fixed (const VtToolCommon *common,
                           GHashTable *begun_with,
                           const char *const *names)
{
  for (; *names != NULL; names++)
    if (g_strcmp0 (g_hash_table_lookup (common->values, *names),
                   g_hash_table_lookup (begun_with, *names))
        != 0)
      g_message (_ ("[%s] %s: this takes effect with the next start"), common->group, *names);
}

VtToolStatus
vt_tool_reload_tell_check (const VtToolCommon *common)
{
  VtToolStatus status = VT_TOOL_DONE;

  for (unsigned int i = 0; i < common->faults->len; i++)
    {
      VtToolStatus other = vt_tool_fail (common->json, common->faults->pdata[i]);

      status = MAX (status, other);
    }
  if (status == VT_TOOL_DONE && !common->quiet)
    {
      g_autofree char *name =
          g_filename_display_name (common->config != NULL ? common->config : common->group);
      g_autofree char *text = g_strdup_printf (_ ("%s: fine\n"), name);

      return vt_tool_put (text);
    }
  return status;
}
