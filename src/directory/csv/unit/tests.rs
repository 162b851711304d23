mod compare;
mod path;
