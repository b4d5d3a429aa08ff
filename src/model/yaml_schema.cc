#include "model/yaml_schema.h"

#include <limits>

#include "base/json_text.h"
#include "model/yaml_keys.h"

namespace modelmill {
namespace {

void write_rule(JsonWriter& json, const YamlRule& rule);

void write_group(JsonWriter& json, const YamlRule& rule) {
  json.field("type", "object").field("additionalProperties", false);
  json.key("properties").begin_object();
  for (const YamlKey& key : rule.keys) {
    json.key(key.name).begin_object().field("description", key.about);
    write_rule(json, *key.rule);
    json.end_object();
  }
  json.end_object();
  bool any = false;
  for (const YamlKey& key : rule.keys) any |= key.required;
  if (!any) return;
  json.key("required").begin_array();
  for (const YamlKey& key : rule.keys)
    if (key.required) json.value(key.name);
  json.end_array();
}

void write_form(JsonWriter& json, const YamlRule& rule) {
  switch (rule.form) {
    case YamlRule::Form::kText:
      json.key("type").begin_array().value("string").value("number").value("boolean").end_array();
      break;
    case YamlRule::Form::kNumber:
      json.field("type", "integer").field("minimum", rule.least);
      if (rule.most < std::numeric_limits<int64_t>::max()) json.field("maximum", rule.most);
      break;
    case YamlRule::Form::kPercent: json.field("type", "number").field("minimum", 0).field("maximum", 100); break;
    case YamlRule::Form::kSwitch: json.field("type", "boolean"); break;
    case YamlRule::Form::kTime: json.field("type", "string").field("pattern", "^[0-9]+(\\.[0-9]+)?(us|ms|s)$"); break;
    case YamlRule::Form::kBytes:
      json.key("type").begin_array().value("string").value("integer").end_array();
      json.field("minimum", 0).field("pattern", "^[0-9]+(\\.[0-9]+)? *([bB]|[kKmMgGtT]([iI]?[bB])?)?$");
      break;
    case YamlRule::Form::kChoice:
      json.key("enum").begin_array();
      for (const std::string_view choice : rule.choices) json.value(choice);
      json.end_array();
      break;
    case YamlRule::Form::kGroup: write_group(json, rule); break;
    case YamlRule::Form::kList:
      json.field("type", "array").field("minItems", rule.least).key("items").begin_object();
      if (rule.item != nullptr) write_rule(json, *rule.item);
      json.end_object();
      break;
    case YamlRule::Form::kMap:
      json.field("type", "object");
      if (rule.numbered)
        json.key("propertyNames")
            .begin_object()
            .field("pattern", rule.least > 0 ? "^[1-9][0-9]*$" : "^(0|[1-9][0-9]*)$")
            .end_object();
      json.key("additionalProperties").begin_object();
      write_rule(json, *rule.item);
      json.end_object();
      break;
  }
}

void write_rule(JsonWriter& json, const YamlRule& rule) {
  if (rule.other == nullptr) return write_form(json, rule);
  json.key("anyOf").begin_array();
  for (const YamlRule* form = &rule; form != nullptr; form = form->other) {
    json.begin_object();
    write_form(json, *form);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string yaml_json_schema() {
  JsonWriter json;
  json.begin_object().field("$schema", "https://json-schema.org/draft/2020-12/schema");
  json.field("title", "modelmill.yaml");
  json.field("description", "Models that modelmill serves: a list of them, or the one whose folder the file is in.");
  json.key("oneOf").begin_array();
  for (const YamlRule* rule : {&yaml_listing_rule(), &yaml_single_rule()}) {
    json.begin_object();
    write_rule(json, *rule);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace modelmill
