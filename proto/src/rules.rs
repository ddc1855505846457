//! What a lab file may say in a field, as its `.proto` file has it.

use prost_reflect::FieldDescriptor;

use crate::v1::FieldRules;

/// The rules of a field, of a descriptor from [`FILE_DESCRIPTOR_SET`](crate::FILE_DESCRIPTOR_SET); those of no other
/// descriptor are known.
pub fn rules(field: &FieldDescriptor) -> FieldRules {
    let option = field.parent_pool().get_extension_by_name("netlab.v1.field_rules");
    let options = field.options();
    let rules = option.and_then(|option| {
        let value = options.get_extension(&option);
        value.as_message()?.transcode_to().ok()
    });
    rules.unwrap_or_default()
}
