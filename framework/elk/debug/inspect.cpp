#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/debug/inspect.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/shape.hpp>

namespace elk::inspect {

namespace {

void add(const nn::Module& module, const std::string& name, std::vector<Part>& list) {
  nn::Fields fields;
  const_cast<nn::Module&>(module).fields(fields);  // only lists the members
  const std::string prefix = name.empty() ? "" : name + ".";
  Part part{name, &module, {}, {}, true};
  for (const nn::Fields::Field& field : fields.list()) {
    if (field.parameter != nullptr) part.parameters.push_back({prefix + field.name, field.parameter->slot()});
    if (field.buffer != nullptr) part.buffers.push_back(field.buffer);
    if (field.module != nullptr) part.leaf = false;
  }
  list.push_back(std::move(part));
  for (const nn::Fields::Field& field : fields.list())
    if (field.module != nullptr) add(*field.module, prefix + field.name, list);
}

}  // namespace

std::vector<Part> parts(const nn::Module& net) {
  std::vector<Part> list;
  add(net, "", list);
  return list;
}

Kept::Kept(const nn::Module& net) : slots_(net.parameters()) {
  for (const nn::NamedSlot& parameter : slots_) values_.push_back(parameter.slot->value());
  for (const Part& part : parts(net))
    buffers_.insert(buffers_.end(), part.buffers.begin(), part.buffers.end());
  for (const Tensor* buffer : buffers_) buffer_values_.push_back(*buffer);
}

Kept::~Kept() {
  for (std::size_t i = 0; i < slots_.size(); ++i) detail::SlotAccess::value(*slots_[i].slot) = values_[i];
  for (std::size_t i = 0; i < buffers_.size(); ++i) *buffers_[i] = buffer_values_[i];
}

DType dtype_of(const nn::Module& net) {
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  return parameters.empty() ? f32 : parameters[0].slot->value().dtype();
}

Batch first(const Batch& batch, Index n) {
  const auto rows = [](const Tensor& x) { return x.defined() && x.rank() > 0 ? x.size(0) : -1; };
  const Index all = rows(batch.x);
  const auto cut = [&](const Tensor& x) {
    return all >= 0 && rows(x) == all ? slice(x, 0, 0, std::min(n, all)) : x;
  };
  Batch few{cut(batch.x), cut(batch.labels)};
  for (const Tensor& x : batch.others) few.others.push_back(cut(x));
  return few;
}

std::string table(const std::string& align, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(align.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += (i > 0 ? "  " : "") + (align[i] == 'l' ? row[i] + space : space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string shortened(const std::string& text, std::size_t width, bool keep_end) {
  if (text.size() <= width) return text;
  return keep_end ? "..." + text.substr(text.size() - width + 3) : text.substr(0, width - 3) + "...";
}

std::string percent(double share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  return fmt::format("{:.3g}%", 100 * share);
}

}  // namespace elk::inspect
