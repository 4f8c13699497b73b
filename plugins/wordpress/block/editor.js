/**
 * The block in the editor: a picture of words, so that nothing is asked of the instance.
 */
( function ( wp ) {
	const { createElement, Fragment } = wp.element;
	const { InspectorControls, useBlockProps } = wp.blockEditor;
	const { PanelBody, SelectControl, TextControl } = wp.components;
	const { __ } = wp.i18n;

	const edit = ( { attributes, setAttributes } ) => {
		const settings = createElement(
			PanelBody,
			{ title: __( 'Flattr button', 'flattr-button' ) },
			createElement( SelectControl, {
				label: __( 'Layout', 'flattr-button' ),
				value: attributes.layout,
				options: [
					{ value: '', label: __( 'As in the settings', 'flattr-button' ) },
					{ value: 'flat', label: __( 'Flat', 'flattr-button' ) },
					{ value: 'compact', label: __( 'Compact', 'flattr-button' ) },
					{ value: 'large', label: __( 'Large', 'flattr-button' ) },
					{ value: 'icon', label: __( 'Icon', 'flattr-button' ) },
				],
				onChange: ( layout ) => setAttributes( { layout } ),
			} ),
			createElement( TextControl, {
				label: __( 'Another page than this post', 'flattr-button' ),
				type: 'url',
				value: attributes.url,
				onChange: ( url ) => setAttributes( { url } ),
			} )
		);
		return createElement(
			Fragment,
			null,
			createElement( InspectorControls, null, settings ),
			createElement(
				'p',
				useBlockProps(),
				createElement( 'strong', null, __( 'Flattr this', 'flattr-button' ) ),
				attributes.url ? ' ' + attributes.url : ''
			)
		);
	};

	wp.blocks.registerBlockType( 'flattr-button/button', { edit, save: () => null } );
} )( window.wp );
