#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// A table of text as RFC 4180 writes it.
struct CsvTable {
  std::vector<std::string> header;             // empty when the first line is data
  std::vector<std::vector<std::string>> rows;  // all of one length
};

/// Reads comma-separated lines (LF or CRLF; quotes as in RFC 4180; blank lines are skipped). The first line is a header
/// when at least one of its fields is not a number and, in that column, some later field is one, or `header_expected`.
/// INVALID_ARGUMENT names the line that has another number of fields than the first, or an unfinished quote.
Result<CsvTable> parse_csv(std::string_view text, bool header_expected = false);

/// The table as a tensor [rows, columns] of any dtype; kBytes takes the fields as they are. INVALID_ARGUMENT names row
/// and column of what is no such number.
Result<Tensor> csv_to_tensor(const CsvTable& table, DataType dtype = DataType::kFp64);

/// Rows of the outermost dimension as lines; inner dimensions are flattened. A scalar is one line.
std::string write_csv(const Tensor& tensor);

}  // namespace modelmill
