/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A command's configuration file: a key file whose keys are the long names of the command's
 * options. It is read by the same tables of options as the command line, so that an option cannot
 * be in one of them and not in the other. */

typedef struct {
  const char         *path;      /* of the file, as it was given */
  const char         *group;     /* "server": where the options stand */
  const GOptionEntry *tables[2]; /* each with an end; the second is nullable */
} VtToolConfig;

/* Fills in those options that have no value yet. Their names are added to `taken`; what is wrong,
 * each by itself, to `faults`, which is of GError: a G_FILE_ERROR of a file that cannot be read,
 * else G_OPTION_ERROR. FALSE if for that nothing at all could be filled in. */
gboolean vt_tool_config_read (const VtToolConfig *config, GHashTable *taken, GPtrArray *faults);

/* The name of an option of this table in the file, nullable: not all of them make sense there. */
const GOptionEntry *vt_tool_config_find (const VtToolConfig *config, const char *key);

/* What an option has now, as one text, new; NULL without a value. */
char *vt_tool_config_dup_value (const GOptionEntry *entry);
