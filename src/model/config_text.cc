#include "model/config_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>

#include "model/text_proto.h"

namespace modelmill {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

struct ConfigText::Places {
  TextFormat::ParseInfoTree tree;
};

ConfigText::ConfigText() : places_(std::make_unique<Places>()) {}
ConfigText::ConfigText(ConfigText&&) noexcept = default;
ConfigText& ConfigText::operator=(ConfigText&&) noexcept = default;
ConfigText::~ConfigText() = default;

Result<ConfigText> ConfigText::parse(std::string_view text, const std::string& file) {
  std::vector<ConfigProblem> problems;
  auto parsed = parse(text, file, problems);
  if (!parsed) return status_of(problems.front());
  return *std::move(parsed);
}

std::optional<ConfigText> ConfigText::parse(std::string_view text, const std::string& file,
                                            std::vector<ConfigProblem>& problems) {
  ConfigText out;
  out.file_ = file;
  std::vector<ConfigProblem> found = parse_text_proto(text, file, out.config_, &out.places_->tree);
  if (found.empty()) return out;
  std::move(found.begin(), found.end(), std::back_inserter(problems));
  return std::nullopt;
}

std::optional<ConfigText> ConfigText::parse_known(std::string_view text, const std::string& file) {
  ConfigText out;
  out.file_ = file;
  if (!parse_known_text_proto(text, out.config_, &out.places_->tree)) return std::nullopt;
  return out;
}

bool ConfigText::has(const std::string& field) const {
  const FieldDescriptor* descriptor = inference::ModelConfig::descriptor()->FindFieldByName(field);
  return descriptor != nullptr && places_->tree.GetLocation(descriptor, descriptor->is_repeated() ? 0 : -1).line >= 0;
}

std::string ConfigText::place_of(const std::string& path) const {
  const Descriptor* type = inference::ModelConfig::descriptor();
  TextFormat::ParseInfoTree* tree = &places_->tree;
  TextFormat::ParseLocation found;
  size_t from = 0;
  while (tree != nullptr && type != nullptr && from < path.size()) {
    const size_t end = std::min(path.find('.', from), path.size());
    std::string step = path.substr(from, end - from);
    from = end + 1;
    int index = -1;
    if (const size_t bracket = step.find('['); bracket != std::string::npos) {
      index = std::atoi(step.c_str() + bracket + 1);
      step.resize(bracket);
    }
    const FieldDescriptor* field = type->FindFieldByName(step);
    if (field == nullptr) break;
    if (index < 0 && field->is_repeated()) index = 0;
    const TextFormat::ParseLocation here = tree->GetLocation(field, index);
    if (here.line < 0) break;
    found = here;
    type = field->message_type();
    tree = type == nullptr ? nullptr : tree->GetTreeForNested(field, index);
  }
  return found.line < 0 ? file_ : text_place(file_, found.line, found.column);
}

}  // namespace modelmill
