/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-source-private.h"

#include <fcntl.h>
#include <unistd.h>

GMainContext *
vt_source_new_context (void)
{
  int fd = open ("/", O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return NULL;
  close (fd);
  return g_main_context_new ();
}

GSource *
vt_source_watch_cancellable (GCancellable *cancellable,
                             GCancellableSourceFunc func,
                             void *user_data)
{
  GSource *source;

  if (cancellable == NULL)
    return NULL;
  source = g_cancellable_source_new (cancellable);
  g_source_set_static_name (source, "[vtunnel] cancellable");
  g_source_set_callback (source, G_SOURCE_FUNC (func), user_data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

void
vt_source_destroy (void *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}
