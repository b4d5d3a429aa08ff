#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "catalog/model_version.h"

namespace modelmill {

/// The life of a version as the repository index tells it.
enum class VersionState { kLoading, kReady, kUnloading, kUnavailable };

struct VersionStatus {
  int64_t version = 0;
  VersionState state = VersionState::kUnavailable;
  /// Why it is not ready, or, of one that is, why its newer files are not served. Empty: nothing to say.
  std::string reason;
};

/// One model of the table. Immutable once published.
struct ModelEntry {
  std::string name;
  /// Published versions, ascending.
  std::vector<std::shared_ptr<ModelVersion>> versions;
  /// Every version known, ascending, published or not.
  std::vector<VersionStatus> statuses;
  /// What a request that names no version is served by; 0, or a version that is not published: the last one.
  int64_t default_version = 0;
  /// Names that stand for versions.
  std::map<std::string, int64_t, std::less<>> labels = {};
  /// The model is known and loads when a request comes for it.
  bool on_demand = false;

  /// Whether a version has an open signature; or also, there may come one for a request.
  bool is_open() const;
  bool may_be_open() const;
  /// The published version of a number (0: the default one), or null.
  const std::shared_ptr<ModelVersion>* find(int64_t version) const;
};

/// What is served at a moment: models by name. A value that is cheap to copy and to change in one place however many
/// models there are: copies share what neither has changed. Immutable once published.
class ModelTable {
 public:
  ModelTable();

  /// Null when there is none of that name; lives as long as the table.
  const ModelEntry* find(std::string_view name) const;
  std::shared_ptr<const ModelEntry> share(std::string_view name) const;
  /// All, by name.
  std::vector<const ModelEntry*> entries() const;
  size_t size() const;
  bool empty() const { return size() == 0; }
  /// Whether a model of it has an open signature; or also, may turn out to have one when it is loaded.
  bool has_open() const { return open_ > 0; }
  bool may_have_open() const { return may_be_open_ > 0; }

  /// Adds the entry, in the place of one with its name.
  void put(std::shared_ptr<const ModelEntry> entry);
  void erase(std::string_view name);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Part = std::unordered_map<std::string, std::shared_ptr<const ModelEntry>, Hash, std::equal_to<>>;
  static constexpr size_t kParts = 256;

  static size_t part_of(std::string_view name) { return Hash()(name) % kParts; }
  void count(const ModelEntry& entry, int by);
  /// A part that only this table has.
  Part& own_part(std::string_view name);
  const std::shared_ptr<const ModelEntry>* look(std::string_view name) const;

  std::array<std::shared_ptr<Part>, kParts> parts_;  // null: empty
  int64_t open_ = 0;                                 // entries
  int64_t may_be_open_ = 0;
};

}  // namespace modelmill
