#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/checksum.h"

namespace modelmill {

/// One version of one object, as a store tells of it.
struct RemoteObject {
  /// Below the URL that was opened, unchecked; empty when that URL names the object itself. With a slash at the end it
  /// stands for a folder and has no content.
  std::string key;
  /// How messages and the cache name it: no secrets.
  std::string shown;
  std::optional<uint64_t> size;  // nullopt: the server does not tell
  /// Differs when the content does; empty when the server tells nothing of that kind.
  std::string version;
  /// Parts can be read.
  bool ranges = true;
  std::vector<Checksum> checksums = {};
};

struct ByteRange {
  uint64_t begin = 0;
  uint64_t size = 0;
};

/// Where models are. Its calls block, try again what may pass, and come from several threads at once.
class ObjectStore {
 public:
  /// `offset` is in the object. After a failed try it may begin again where the range begins.
  using Sink = std::function<Status(uint64_t offset, std::string_view piece)>;

  virtual ~ObjectStore() = default;

  /// What is at or below the URL; NOT_FOUND when there is nothing.
  virtual Result<std::vector<RemoteObject>> list(const std::atomic<bool>& cancelled) = 0;
  /// What the content must sum up to besides what the look told; asked just before the object is read.
  virtual Result<std::vector<Checksum>> more_checksums(const RemoteObject& object,
                                                       const std::atomic<bool>& cancelled) = 0;
  /// A part, or all of an object whose size is unknown or that has no ranges. ABORTED when the object is not that
  /// version any more.
  virtual Status read(const RemoteObject& object, std::optional<ByteRange> range, const Sink& sink,
                      const std::atomic<bool>& cancelled) = 0;
};

}  // namespace modelmill
