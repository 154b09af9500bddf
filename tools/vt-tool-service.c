/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-service.h"

#include <glib/gi18n.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

struct _VtToolService {
  GSource *watchdog; /* owned, nullable */
  gboolean is_ready;
};

static void
notify (const char *state)
{
#ifdef HAVE_SYSTEMD
  int result = sd_notify (0, state);

  if (result < 0)
    g_debug ("The service manager cannot be told: %s", g_strerror (-result));
#endif
}

static gboolean
watchdog_cb (void *user_data)
{
  notify ("WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

/* Microseconds, 0 if nobody waits for a sign of life. */
static guint64
get_patience (void)
{
#ifdef HAVE_SYSTEMD
  uint64_t patience = 0;

  if (sd_watchdog_enabled (0, &patience) > 0)
    return patience;
#endif
  return 0;
}

VtToolService *
vt_tool_service_new (void)
{
  VtToolService *self = g_new0 (VtToolService, 1);
  guint64 patience = get_patience ();

  if (patience == 0)
    return self;
  self->watchdog = g_timeout_source_new ((unsigned int) MAX (patience / 2 / 1000, 1));
  g_source_set_static_name (self->watchdog, "vtunnel-tool: watchdog");
  g_source_set_callback (self->watchdog, watchdog_cb, NULL, NULL);
  g_source_attach (self->watchdog, g_main_context_get_thread_default ());
  return self;
}

void
vt_tool_service_free (VtToolService *self)
{
  if (self->watchdog != NULL)
    {
      g_source_destroy (self->watchdog);
      g_source_unref (self->watchdog);
    }
  g_free (self);
}

void
vt_tool_service_note_ready (VtToolService *self)
{
  if (self->is_ready)
    return;
  self->is_ready = TRUE;
  notify ("READY=1");
}

/* The time is what Type=notify-reload needs (systemd 253). */
void
vt_tool_service_note_reloading (VtToolService *self)
{
  g_autofree char *state =
      g_strdup_printf ("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time ());

  if (self->is_ready)
    notify (state);
}

void
vt_tool_service_note_reloaded (VtToolService *self)
{
  if (self->is_ready)
    notify ("READY=1");
}

void
vt_tool_service_note_stopping (VtToolService *self)
{
  notify ("STOPPING=1");
}

void
vt_tool_service_ask_for_time (VtToolService *self, unsigned int seconds)
{
  g_autofree char *state =
      g_strdup_printf ("EXTEND_TIMEOUT_USEC=%" G_GINT64_FORMAT, (gint64) seconds * G_USEC_PER_SEC);

  notify (state);
}

void
vt_tool_service_set_status (VtToolService *self, const char *status)
{
  g_autofree char *line = g_strdelimit (g_strdup (status), "\n", ' ');
  g_autofree char *state = g_strdup_printf ("STATUS=%s", line);

  notify (state);
}

#ifdef HAVE_SYSTEMD
/* "unknown" is what sd_listen_fds_with_names () calls one without a name. */
static gboolean
check_name (const char *given, const char *name, GError **error)
{
  if (strcmp (given, name) == 0 || strcmp (given, "unknown") == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               _ ("The service manager has handed over a socket “%s”; only “%s” means something "
                  "here (FileDescriptorName=)"),
               given, name);
  return FALSE;
}

static GPtrArray *
wrap_sockets (int n_sockets, char **names, const char *name, GError **error)
{
  g_autoptr(GPtrArray) sockets = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < n_sockets; i++)
    {
      GSocket *socket;

      if (!check_name (names[i], name, error))
        return NULL;
      socket = g_socket_new_from_fd (SD_LISTEN_FDS_START + i, error);
      if (socket == NULL)
        {
          g_prefix_error (error, _ ("The service manager has handed over what is no socket: "));
          return NULL;
        }
      g_ptr_array_add (sockets, socket);
    }
  return g_steal_pointer (&sockets);
}
#endif

gboolean
vt_tool_service_take_sockets (const char *name, GPtrArray **sockets, GError **error)
{
#ifdef HAVE_SYSTEMD
  char **names = NULL;
  int n_sockets = sd_listen_fds_with_names (1, &names);

  *sockets = NULL;
  if (n_sockets > 0)
    *sockets = wrap_sockets (n_sockets, names, name, error);
  /* They are of malloc (). */
  for (int i = 0; i < n_sockets; i++)
    free (names[i]);
  free (names);
  return n_sockets <= 0 || *sockets != NULL;
#else
  *sockets = NULL;
  return TRUE;
#endif
}
