#pragma once

#include <map>
#include <memory>
#include <string>

#include "lifecycle/sent_model.h"
#include "repository/find_models.h"

namespace modelmill {

/// Archives for a look that loads nothing: each is read whole and checked, but of its files only the small ones, which
/// are those that configure models, get their content, in a folder that goes with this. For one thread.
class ArchivePreviews {
 public:
  /// See FindOptions.
  LocalCopy open(const std::string& archive);
  /// The text with places in these folders as places in their archives: "ocr.zip/config.pbtxt:1:2".
  std::string named(std::string text) const;
  /// A line on each archive: what it holds.
  std::string summary() const;

 private:
  struct Preview {
    LocalCopy opened;
    std::string summary;
  };
  Preview make(const std::string& archive);

  std::shared_ptr<OwnFolder> root_;  // null: none was needed yet
  std::map<std::string, Preview> previews_;
};

}  // namespace modelmill
