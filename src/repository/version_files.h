#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/find_models.h"

namespace modelmill {

/// What tells one state of a file from another without reading it. All zero but the path when the file is not there.
struct FileStamp {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  int64_t size = 0;  // bytes; 0 for folders, whose size says nothing
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;  // the inode's change time: it moves too where a copy sets the old time of modification
  bool operator==(const FileStamp&) const = default;
};

/// The state of everything that a version is loaded from. Two that are equal: nothing has changed in between, as far as
/// the file system tells.
struct VersionFingerprint {
  std::vector<FileStamp> files;  // by path
  bool operator==(const VersionFingerprint&) const = default;
};

struct FingerprintOptions {
  /// The model's config.pbtxt counts, which is outside its versions' folders.
  bool with_configuration = true;
  /// Further files that count, relative to the model's folder: those of labels. They need not be there.
  std::vector<std::string> side_files;
  size_t max_entries = 100'000;
  size_t max_depth = 64;
};

/// Looks at every file in and below the version's folder, through links, each folder once however many links lead to
/// it. Of a model file given by itself: that file, and those beside it that belong to one by custom (model.onnx.data,
/// model.onnx_data; model.bin of model.xml). Not counted: __pycache__, which Python writes while a model is loaded.
/// An error when something can't be read, vanished meanwhile (UNAVAILABLE: look again), or is beyond the limits.
Result<VersionFingerprint> fingerprint(const FoundModel& model, const FoundVersion& version,
                                       const FingerprintOptions& options = {});

/// A file that differs between the two, for a log line; empty when they are equal.
std::string changed_file(const VersionFingerprint& before, const VersionFingerprint& after);

}  // namespace modelmill
