#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "state/store.h"

namespace modelmill {

/// One entry of a file store, as its file says.
struct StoreEntry {
  std::string key;
  StoredValue stored;
};

/// Reads the text of an entry's file. DATA_LOSS when it is not whole.
using EntryReader = std::function<Result<StoreEntry>(std::string_view text)>;

/// The formats of entries that a release knows: it writes `current`, and reads that one and the one before.
struct StoreFormats {
  int current = 0;
  std::map<int, EntryReader> readers;

  static const StoreFormats& of_this_release();

  /// "1 and 2", for messages.
  std::string readable() const;
};

/// A line about the value (its format, key, revision, size and CRC-32), and the value.
std::string entry_text(int format, const std::string& key, const StoredValue& stored);

/// Reads an entry of any format that is known. DATA_LOSS when it is not whole, FAILED_PRECONDITION when its format is
/// not known.
Result<StoreEntry> read_entry(const StoreFormats& formats, std::string_view text);

}  // namespace modelmill
