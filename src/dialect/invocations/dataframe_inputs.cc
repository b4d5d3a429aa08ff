#include "dialect/invocations/dataframe_inputs.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "dialect/invocations/quoted.h"
#include "dialect/json_input.h"
#include "dialect/json_shape.h"
#include "dialect/predict/request_codec.h"
#include "tensor/cast.h"

namespace modelmill::invocations {
namespace {

namespace dom = simdjson::dom;

std::string input_names(const Signature& signature) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : signature.inputs) names.push_back(spec.name);
  return quoted_list(names);
}

/// The elements of cells, as they come.
class Elements {
 public:
  Elements(DataType dtype, size_t cells) : dtype_(dtype) { bytes_.reserve(cells * dtype_size(dtype)); }

  /// A cell of that shape, which json_shape() has checked.
  Status add(dom::element cell, const Shape& shape) {
    if (cell.is_null()) return add_missing();
    if (!cell.is_array()) return append_json_element(cell, dtype_, bytes_);
    MM_ASSIGN_OR_RETURN(const Bytes bytes,
                        read_json_elements(cell, dtype_, element_count(dims(shape)).value_or(-1), JsonNumbers::kCast));
    bytes_.append(bytes.view());
    return ok_status();
  }
  Bytes take() { return Bytes::from_string(std::move(bytes_)); }

 private:
  bool is_float() const {
    return dtype_ == DataType::kFp64 || dtype_ == DataType::kFp32 || dtype_ == DataType::kFp16 ||
           dtype_ == DataType::kBf16;
  }

  Status add_missing() {
    if (!is_float())
      return invalid_argument("null is a missing number, which " + std::string(dtype_name(dtype_)) + " does not have");
    if (missing_.empty()) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const Tensor one{"", DataType::kFp64, {1}, {Bytes::copy_of({reinterpret_cast<const char*>(&nan), sizeof nan})}};
      MM_ASSIGN_OR_RETURN(const Tensor cast, cast_tensor(one, dtype_));
      missing_ = cast.contiguous().view();
    }
    bytes_ += missing_;
    return ok_status();
  }

  const DataType dtype_;
  std::string bytes_;
  std::string missing_;  // NaN's, once it was needed
};

Status at_cell(const Status& status, const Dataframe& frame, size_t row, size_t column) {
  return status.with_context("column " + quoted_name(frame.columns[column]) + ", row " + std::to_string(row));
}

/// A row of the table must not become several of the model's, nor several rows one.
Status check_rows(const Dataframe& frame, size_t columns, const TensorSpec& spec, const Shape& shape) {
  const auto rows = static_cast<int64_t>(frame.rows());
  if (spec.shape.empty() || spec.shape[0] >= 0 || shape[0] == rows) return ok_status();
  return invalid_argument("input '" + spec.name + "' has shape " + shape_text(dims(spec.shape)) +
                          ", and the table (rows x columns) is " + std::to_string(rows) + " x " +
                          std::to_string(columns) + ": it would become " + shape_text(dims(shape)) +
                          ", whose rows are others; send as many columns as the input has values in a row, or one "
                          "column of arrays");
}

/// The cells of these columns, row after row, as one tensor: [rows, columns], or where cells are arrays, which one
/// column alone may have, [rows, shape of a cell].
Result<Tensor> make_tensor(const Dataframe& frame, size_t first, size_t count, const TensorSpec& spec) {
  Tensor tensor{spec.name, spec.dtype, {}, {}};
  Elements elements(spec.dtype, frame.rows() * count);
  Shape cell_shape;
  for (size_t row = 0; row < frame.rows(); ++row) {
    for (size_t column = first; column < first + count; ++column) {
      const dom::element cell = frame.cells[row * frame.columns.size() + column];
      Shape shape;
      if (const Status status = json_shape(cell, nullptr, shape); !status.ok())
        return at_cell(status, frame, row, column);
      const bool is_first = row == 0 && column == first;
      if (!shape.empty() && count > 1)
        return at_cell(invalid_argument("an array stands where the model takes one value for each column"), frame, row,
                       column);
      if (!is_first && shape != cell_shape)
        return at_cell(invalid_argument("the cell has shape " + shape_text(dims(shape)) + ", that of the first row " +
                                        shape_text(dims(cell_shape)) + "; all must be alike"),
                       frame, row, column);
      if (is_first) cell_shape = shape;
      if (const Status status = elements.add(cell, shape); !status.ok())
        return at_cell(status.with_context("input '" + spec.name + "' takes " + std::string(dtype_name(spec.dtype))),
                       frame, row, column);
    }
  }
  tensor.shape.push_back(static_cast<int64_t>(frame.rows()));
  if (cell_shape.empty()) tensor.shape.push_back(static_cast<int64_t>(count));
  tensor.shape.insert(tensor.shape.end(), cell_shape.begin(), cell_shape.end());
  tensor.data.push_back(elements.take());
  bool added = false;
  MM_RETURN_IF_ERROR(predict::fit_table(spec, tensor, added));
  MM_RETURN_IF_ERROR(check_rows(frame, count, spec, tensor.shape));
  return tensor;
}

/// Where the column of that name is; the number of columns: there is none.
size_t find_column(const Dataframe& frame, const std::string& name) {
  return static_cast<size_t>(std::find(frame.columns.begin(), frame.columns.end(), name) - frame.columns.begin());
}

bool has_column(const Dataframe& frame, const TensorSpec& spec) {
  return find_column(frame, spec.name) != frame.columns.size();
}

/// Whether the columns, of which there are several, are as many as a row of the input has values: then they are a row,
/// though one should be called like the input.
bool is_row_of(const TensorSpec& spec, const Dataframe& frame) {
  if (frame.columns.size() < 2 || spec.shape.size() < 2) return false;
  const auto count = element_count(dims(spec.shape).subspan(1));
  return count && *count == static_cast<int64_t>(frame.columns.size());
}

/// Whether the columns are inputs: every input that a request needs has one, and so has one at least.
bool names_inputs(const Dataframe& frame, const Signature& signature) {
  if (signature.inputs.size() == 1 && is_row_of(signature.inputs[0], frame)) return false;
  bool any = false;
  for (const TensorSpec& spec : signature.inputs) {
    const bool has = has_column(frame, spec);
    if (!has && !spec.optional) return false;
    any = any || has;
  }
  return any;
}

}  // namespace

Status put_columns(const Dataframe& frame, const Signature& signature, InferRequest& request) {
  if (!names_inputs(frame, signature)) {
    if (signature.inputs.size() != 1)
      return invalid_argument("the columns " + quoted_list(frame.columns) +
                              " are not this model's inputs, and it has several: " + input_names(signature) +
                              "; send a column for each");
    MM_ASSIGN_OR_RETURN(Tensor matrix, make_tensor(frame, 0, frame.columns.size(), signature.inputs[0]));
    request.inputs.push_back(std::move(matrix));
    return ok_status();
  }
  for (const TensorSpec& spec : signature.inputs) {
    if (!has_column(frame, spec)) continue;
    MM_ASSIGN_OR_RETURN(Tensor tensor, make_tensor(frame, find_column(frame, spec.name), 1, spec));
    request.inputs.push_back(std::move(tensor));
  }
  return ok_status();
}

}  // namespace modelmill::invocations
