#include "cli/migrate/said_lines.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>

#include "model/layer_extras.h"

namespace modelmill {
namespace {

constexpr std::string_view kComment = "  # ";

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view without_comment(std::string_view line) {
  const size_t comment = line.rfind(kComment);
  return comment == std::string_view::npos ? line : line.substr(0, comment);
}

}  // namespace

std::vector<SaidLine> lines_of(std::string_view yaml) {
  std::vector<SaidLine> out;
  std::vector<std::pair<size_t, std::string>> above;  // indents and keys
  for (std::string_view line : split_lines(yaml)) {
    line = without_comment(line);
    const size_t indent = line.find_first_not_of(' ');
    if (indent == std::string_view::npos || line[indent] == '#') continue;
    line.remove_prefix(indent);
    while (!above.empty() && above.back().first >= indent) above.pop_back();
    std::string key;
    for (const auto& [unused, name] : above) key += (key.empty() ? "" : ".") + name;
    if (line.starts_with("- ")) {
      out.push_back({key, std::string(line.substr(2))});
    } else if (line.ends_with(':')) {
      above.emplace_back(indent, line.substr(0, line.size() - 1));
    } else if (const size_t colon = line.find(": "); colon != std::string_view::npos) {
      out.push_back(
          {key + (key.empty() ? "" : ".") + std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
    }
  }
  return out;
}

std::string without_origins(std::string_view yaml) {
  std::string out;
  for (const std::string_view line : split_lines(yaml)) {
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view text = line.substr(indent);
    if (text.starts_with('#') || text.starts_with("path: ")) continue;
    out.append(without_comment(line)).append("\n");
  }
  return out;
}

ModelLayer only(const ModelLayer& layer, const std::string& field) {
  ModelLayer out = layer;
  std::erase_if(out.fields, [&](const std::string& name) { return name != field; });
  for_each_extra(out, [&](std::string_view name, auto& member) {
    if (name != field) member.reset();
  });
  return out;
}

std::vector<ModelLayer> without(std::span<const ModelLayer> layers, const std::set<std::string>& fields) {
  std::vector<ModelLayer> out(layers.begin(), layers.end());
  for (ModelLayer& layer : out)
    for (const std::string& field : fields) layer.fields.erase(field);
  return out;
}

std::vector<ModelLayer> untuned(std::span<const ModelLayer> layers) {
  std::vector<ModelLayer> out(layers.begin(), layers.end());
  for (ModelLayer& layer : out) {
    layer.instance_threads.reset();
    layer.instance_range.reset();
    auto& groups = *layer.config.mutable_instance_group();
    for (auto& group : groups) group.clear_count();
    if (groups.size() == 1 && groups[0].ByteSizeLong() == 0) {  // it said how many, and nothing else
      groups.Clear();
      layer.fields.erase("instance_group");
    }
    if (!layer.config.has_dynamic_batching()) continue;
    layer.config.mutable_dynamic_batching()->clear_preferred_batch_size();
    layer.config.mutable_dynamic_batching()->clear_max_queue_delay_microseconds();
  }
  return out;
}

bool is_tuned_key(const std::string& key) {
  return key == "instances" || key == "instance_threads" || key == "batching.delay" ||
         key == "batching.preferred_sizes";
}

std::vector<std::string> said_fields(std::span<const ModelLayer> layers) {
  std::vector<std::string> out;
  const auto add_if_said = [&](const std::string& field) {
    if (std::any_of(layers.begin(), layers.end(), [&](const ModelLayer& layer) { return layer.says(field); }))
      out.push_back(field);
  };
  const auto* type = inference::ModelConfig::descriptor();
  for (int i = 0; i < type->field_count(); ++i) add_if_said(type->field(i)->name());
  if (!layers.empty()) for_each_extra(layers.front(), [&](const char* name, const auto&) { add_if_said(name); });
  return out;
}

}  // namespace modelmill
