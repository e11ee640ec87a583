"""The text that says which types the columns of a frame have: the attribute `azureml.data.types`.

JSON has numbers, text, true, false and null, so rows alone do not say whether a number was an int8 or a Decimal. The
text has a code for each column, in their order; equal codes in a row are counted: `f8*15,i8*4,s,c,datetime64[ns, UTC]`.
The grammar, for readers in any language:

```
types    = [ column *( "," column ) ]
column   = code [ "*" number ]               a run of equal columns
code     = word [ "[" item *( "," [ " " ] item ) "]" ]
item     = [ name ":" ] code [ "!" ]         a type in a type; "!": it has no nulls
         / text                              of a parameter
         / code *( "|" text ) / code *( "<" text )     categories without and with an order; "<*": it is left out
word     = 1*( letter / digit / "_" / ">" )
name     = text = *( letter / digit / "-" / "_" / "." / "~" / "/" / "+" / ":" / "(" / ")" / "%" hex hex )
```

A text is UTF-8 in percent-encoding (RFC 3986, 2.1), and a name has no ":" of its own. So all of it is printable ASCII
without a quote or a backslash, and stays as it is in JSON. `docs/reference/data-types.md` lists the codes.

`dtype_code.py` has the codes of NumPy and pandas, `arrow_code.py` those of Arrow, `cell_kinds.py` the kinds of Python
objects. `frame_types.py` makes the text of a frame.
"""
