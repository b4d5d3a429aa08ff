#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/cache_paths.h"
#include "storage/file_lock.h"

namespace modelmill {

// The unpacked archives of a cache: CACHE/unpacked/ID holds the content of one, and CACHE/unpacked/ID.lock is held,
// shared, by whoever uses it. Another file in CACHE/archives says, for the path of an archive, what state of its file
// was unpacked to which ID. What no archive that is still so leads to is wanted by nobody.

/// Tells one state of a file from another without reading it; empty when there is no file.
std::string archive_state(const std::string& archive);

/// The ID that this state of the archive was unpacked to; nullopt when that is not known, or gone.
std::optional<std::string> find_unpacked(const CachePaths& paths, const std::string& archive, const std::string& state);
/// Writes that down, in the place of what was known of the archive. Nobody in this process may hold the cache's lock.
Status note_unpacked(const CachePaths& paths, const std::string& archive, const std::string& state,
                     const std::string& id);
/// What a process that died while it wrote one has left.
void remove_note_draft(const CachePaths& paths);

bool is_unpacked(const CachePaths& paths, const std::string& id);
std::string unpacked_folder(const CachePaths& paths, const std::string& id);
std::string unpacked_lock(const CachePaths& paths, const std::string& id);

/// The IDs that there are.
std::vector<std::string> unpacked_ids(const CachePaths& paths);
/// False when somebody uses it. At no moment half of it is where it was.
bool remove_unpacked(const CachePaths& paths, const std::string& id);
/// Removes those that no archive leads to, unless somebody uses them, and what was left of archives that are no more.
void remove_unwanted(const CachePaths& paths);
/// Of their files.
uint64_t unpacked_bytes(const CachePaths& paths);

}  // namespace modelmill
