#include "dialect/invocations/dataframe.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "dialect/invocations/quoted.h"

namespace modelmill::invocations {
namespace {

namespace dom = simdjson::dom;

std::string text_of(dom::element value) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
}

Status no_rows(const char* member) { return invalid_argument(std::string("'") + member + "' has no rows"); }

std::string shown(dom::element value) { return shortened(simdjson::minify(value)); }

Status add_row(dom::element value, Dataframe& frame, size_t row) {
  dom::array cells;
  if (value.get_array().get(cells) != simdjson::SUCCESS)
    return invalid_argument("row " + std::to_string(row) + " of 'data' is " + shown(value) + ", and no array of cells");
  const size_t before = frame.cells.size();
  for (const dom::element cell : cells) frame.cells.push_back(cell);
  const size_t count = frame.cells.size() - before;
  if (row == 0 && frame.columns.empty())
    for (size_t i = 0; i < count; ++i) frame.columns.push_back(std::to_string(i));
  if (count == frame.columns.size()) return ok_status();
  return invalid_argument("row " + std::to_string(row) + " of 'data' has " + std::to_string(count) +
                          " cells, and there are " + std::to_string(frame.columns.size()) + " columns");
}

/// A cell that no record has: null, of a document that is never parsed again.
dom::element missing_cell() {
  static const dom::element null = [] {
    static dom::parser parser;
    dom::element element;
    MM_CHECK(parser.parse(std::string("null")).get(element) == simdjson::SUCCESS, "null is JSON");
    return element;
  }();
  return null;
}

/// The columns of records. Most records have their names in one order, so a name is looked for behind the last one
/// before it is looked up: in a tree, since the names of a hash table could be chosen to fall together.
class RecordColumns {
 public:
  void begin_record() {
    ++record_;
    next_ = 0;
  }

  /// The number of that column, which may be a new one; nothing where the record had it before. `name` must live on.
  std::optional<size_t> take(std::string_view name) {
    size_t column = next_;
    if (column == names_.size() || names_[column] != name) {
      const auto [found, is_new] = numbers_.try_emplace(name, names_.size());
      column = found->second;
      if (is_new) {
        names_.push_back(name);
        last_record_.push_back(0);
      }
    }
    next_ = column + 1;
    return std::exchange(last_record_[column], record_) == record_ ? std::nullopt : std::optional(column);
  }

  std::vector<std::string> names() const { return {names_.begin(), names_.end()}; }

 private:
  std::vector<std::string_view> names_;
  std::vector<size_t> last_record_;  // that had the column, counted from 1
  std::map<std::string_view, size_t> numbers_;
  size_t record_ = 0;
  size_t next_ = 0;
};

/// The cells that lack are made, so a small body must not have many.
Status check_missing(size_t rows, size_t columns, size_t given) {
  constexpr size_t kMost = 100'000;
  constexpr size_t kMostOfEachGiven = 3;
  const size_t missing = rows * columns - given;
  if (missing <= std::max(kMost, kMostOfEachGiven * given)) return ok_status();
  return invalid_argument("the " + std::to_string(rows) + " records of 'dataframe_records' have " +
                          std::to_string(columns) + " names in all, and lack " + std::to_string(missing) +
                          " cells; they may lack " + std::to_string(kMost) + ", or " +
                          std::to_string(kMostOfEachGiven) +
                          " for each that they have; give every record all names, with null, or send "
                          "'dataframe_split'");
}

}  // namespace

Result<Dataframe> read_split(dom::element value) {
  constexpr const char* kMember = "dataframe_split";
  dom::object object;
  dom::array data;
  if (value.get_object().get(object) != simdjson::SUCCESS || object["data"].get_array().get(data) != simdjson::SUCCESS)
    return invalid_argument(
        "'dataframe_split' is an object with 'columns', a list of names, and 'data', a list of rows");
  Dataframe frame;
  dom::element columns;
  if (object["columns"].get(columns) == simdjson::SUCCESS && !columns.is_null()) {
    dom::array names;
    if (columns.get_array().get(names) != simdjson::SUCCESS)
      return invalid_argument("'columns' of 'dataframe_split' is " + shown(columns) + ", and no list of names");
    for (const dom::element name : names) frame.columns.push_back(text_of(name));
  }
  size_t row = 0;
  for (const dom::element cells : data) MM_RETURN_IF_ERROR(add_row(cells, frame, row++));
  if (frame.rows() == 0) return no_rows(kMember);
  return frame;
}

Result<Dataframe> read_records(dom::element value) {
  dom::array records;
  if (value.get_array().get(records) != simdjson::SUCCESS)
    return invalid_argument("'dataframe_records' is " + shown(value) + ", and no list of objects");
  RecordColumns columns;
  std::vector<uint32_t> given;  // the columns of the cells, in the order of the text, which has less than 4 GiB
  size_t rows = 0;
  for (const dom::element record : records) {
    const auto place = [rows] { return "record " + std::to_string(rows) + " of 'dataframe_records'"; };
    dom::object object;
    if (record.get_object().get(object) != simdjson::SUCCESS)
      return invalid_argument(place() + " is " + shown(record) + ", and no object");
    columns.begin_record();
    for (const auto& [name, cell] : object) {
      const std::optional<size_t> column = columns.take(name);
      if (!column)
        return invalid_argument(place() + " has " + quoted_name(name) + " twice; a row has one cell of each");
      given.push_back(static_cast<uint32_t>(*column));
    }
    ++rows;
  }
  Dataframe frame;
  frame.columns = columns.names();
  if (frame.columns.empty()) return no_rows("dataframe_records");
  MM_RETURN_IF_ERROR(check_missing(rows, frame.columns.size(), given.size()));
  frame.cells.assign(rows * frame.columns.size(), missing_cell());
  auto column = given.begin();
  auto row = frame.cells.begin();
  for (const dom::element record : records) {
    const dom::object object = record.get_object().value_unsafe();
    for (const auto& [name, cell] : object) row[*column++] = cell;
    row += static_cast<ptrdiff_t>(frame.columns.size());
  }
  return frame;
}

}  // namespace modelmill::invocations
